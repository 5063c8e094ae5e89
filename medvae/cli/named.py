"""Noise that a command names: a model, a preset file, a fitted file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medvae.errors import UserError

if TYPE_CHECKING:
    from noise_models.base import NoiseModel
    from noise_models.scanner import ScannerNoise


def open_named(
    name: str, source: str | None = None, target: str | None = None
) -> NoiseModel:
    """The corruption that a command names, or one line that says why not.

    Args:
        name: A registered name, a preset file, or a fitted file.
        source: What ``--from`` said; only a fitted noise has sites.
        target: What ``--to`` said.
    """
    import noise_models
    from medvae.noise.named import FITTED, no_fit

    path = str(FITTED) if name == "scanner" else name
    try:
        noise = noise_models.load(path)
    except UnicodeDecodeError:
        raise UserError(
            f"{name}: not a text file. Give a preset or a fitted file."
        ) from None
    except FileNotFoundError as error:
        if name == "scanner":
            raise no_fit() from None
        raise UserError(str(error)) from None
    except (ValueError, TypeError) as error:
        raise UserError(str(error)) from None
    if source is None and target is None:
        return noise
    fitted = _fitted(noise, path, "--from and --to need")
    _check_site(fitted, path, "--from", source)
    _check_site(fitted, path, "--to", target)
    return replace(fitted, source=source, target=target)


def open_fit(file: Path, needed: str) -> ScannerNoise:
    """A fitted noise; ``needed`` completes the sentence about any other."""
    return _fitted(open_named(str(file)), str(file), needed)


def to_one_site(noise: NoiseModel, name: str) -> NoiseModel:
    """The noise, if it takes all scans to one site: the chosen, or the only other.

    Raises:
        UserError: A fitted noise that could take them to several.
    """
    from noise_models.scanner import ScannerNoise

    if not isinstance(noise, ScannerNoise) or noise.target is not None:
        return noise
    others = [site for site in noise.labels if site != noise.source]
    if len(others) != 1:
        raise UserError(
            f"{name}: --to must name the site that the scans go to, one of "
            f"{', '.join(others or noise.labels)}; got none."
        )
    return replace(noise, target=others[0])


def _fitted(noise: NoiseModel, name: str, needed: str) -> ScannerNoise:
    from noise_models.scanner import ScannerNoise

    if not isinstance(noise, ScannerNoise):
        raise UserError(
            f"{name}: {needed} a fitted scanner noise, got {noise.name}. "
            "Make one with: medvae fit-noise SITE_A SITE_B"
        )
    return noise


def _check_site(noise: ScannerNoise, name: str, option: str, label: str | None) -> None:
    from noise_models.registry import suggest

    if label is not None and label not in noise.labels:
        raise UserError(
            f"{option} {label}: no site of {name}; {suggest(label, noise.labels)}"
        )
