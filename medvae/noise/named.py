"""Finding the corruption that ``--noise`` names."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

import noise_models
from medvae.errors import UserError
from medvae.files import write_text
from medvae.inputs import near
from noise_models.base import NoiseModel
from noise_models.chain import Chain
from noise_models.plain_yaml import plain_text

FITTED = Path("scanner.yaml")


def open_noise(name: str, dispersion: float = 1.0) -> tuple[NoiseModel, str]:
    """The corruption, and words for where it came from.

    Args:
        name: A registered name, a preset file, or a fitted file; ``scanner`` means
            the ``scanner.yaml`` that fit-noise wrote in this directory.
        dispersion: Widens the draws of a fitted noise.

    Raises:
        UserError: No such noise, or a file that cannot be read.
    """
    path = FITTED if name == "scanner" else Path(name)
    if name == "scanner" and not path.exists():
        raise no_fit()
    try:
        if _is_yaml(path):
            options = {"dispersion": dispersion} if _is_fitted(path) else {}
            noise = noise_models.load(path, **options)
            origin = f"{noise.name} from {path}"
        else:
            noise = noise_models.load(name)
            origin = name
    except UnicodeDecodeError:
        raise UserError(f"--noise {name}: not a text file.") from None
    except (ValueError, TypeError, FileNotFoundError, IsADirectoryError) as error:
        raise UserError(f"--noise {name}: {error}") from None
    if _takes_dispersion(noise):
        return noise, f"{origin}, dispersion {dispersion:g}"
    if dispersion != 1.0:
        raise UserError(
            f"dispersion {dispersion:g} changes nothing for {name}: it belongs to a "
            "fitted noise. Leave it at 1."
        )
    return noise, origin


def no_fit() -> UserError:
    """What to say where ``scanner`` is asked for and nothing was fitted here."""
    meant = near(FITTED, _is_yaml)
    return UserError(
        f"{FITTED} not found.{meant} Make it with: medvae fit-noise SITE_A SITE_B"
    )


def _is_yaml(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml")


def _is_fitted(path: Path) -> bool:
    first = plain_text(path).splitlines()[:10]
    return any("medvae-scanner-noise" in line for line in first)


def _takes_dispersion(noise: NoiseModel) -> bool:
    return hasattr(noise, "dispersion")


def freeze(noise: NoiseModel, path: Path) -> None:
    """Write the corruption as YAML that :func:`noise_models.load` reads back.

    Example:
        >>> import tempfile
        >>> from noise_models.rician import Rician
        >>> path = Path(tempfile.mkdtemp()) / "noise.yaml"
        >>> freeze(Rician(sigma=(0.01, 0.1)), path)
        >>> noise_models.load(path)
        Rician(sigma=(0.01, 0.1))
    """
    from noise_models.scanner import ScannerNoise, save_scanner

    if isinstance(noise, ScannerNoise):
        save_scanner(noise, path)
    else:
        write_text(path, yaml.safe_dump(_described(noise), sort_keys=False))


def _described(noise: NoiseModel) -> dict[str, Any]:
    if isinstance(noise, Chain):
        return {"model": "chain", "steps": [_described(step) for step in noise.steps]}
    fields = dataclasses.fields(noise)  # type: ignore[arg-type]  # every model is one
    settings = {field.name: getattr(noise, field.name) for field in fields}
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}
    return {"model": noise.name, **plain}
