"""Noise that a command names: a model, a preset file, a fitted file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medvae.errors import UserError

if TYPE_CHECKING:
    from noise_models.base import NoiseModel
    from noise_models.scanner import ScannerNoise


def open_named(
    name: str, source: str | None = None, target: str | None = None
) -> NoiseModel:
    """The corruption that a command names, or one line that says why not."""
    import noise_models
    from medvae.noise.named import FITTED, no_fit

    given = {"source": source, "target": target}
    options = {key: value for key, value in given.items() if value is not None}
    path = str(FITTED) if name == "scanner" else name
    try:
        return noise_models.load(path, **options)
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


def open_fit(file: Path, needed: str) -> ScannerNoise:
    """A fitted noise; ``needed`` completes the sentence about any other."""
    from noise_models.scanner import ScannerNoise

    noise = open_named(str(file))
    if not isinstance(noise, ScannerNoise):
        raise UserError(
            f"{file}: {needed} a fitted scanner noise, got {noise.name}. "
            "Make one with: medvae fit-noise SITE_A SITE_B"
        )
    return noise
