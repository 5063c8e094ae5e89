"""The run folder: what was asked, what corrupted, what came out."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from medvae.cohort import Cohort
from medvae.errors import UserError
from medvae.files import write_json, write_text
from medvae.noise.named import freeze
from medvae.training.config import TrainConfig, load_config
from medvae.training.split import Splits
from medvae.version import __version__
from noise_models.base import NoiseModel


def open_run(
    run: Path, config: TrainConfig, noise: NoiseModel, splits: Splits, *, resume: bool
) -> Path | None:
    """Start a run folder, or return the checkpoint to go on from.

    Raises:
        UserError: The folder is in use by a run with other settings, or by
            something that is not a run.
    """
    last = run / "checkpoints" / "last.ckpt"
    written = run / "config.yaml"
    if resume and written.exists():
        if load_config(written) != config:
            raise UserError(
                f"{written}: its settings differ from those asked for. Resume with "
                "the same settings, or choose another folder with -o."
            )
        return last if last.exists() else None
    if run.exists() and any(run.iterdir()):
        raise UserError(
            f"{run}: not empty. Go on with --resume, or choose another folder with -o."
        )
    settings = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    freeze(noise, run / "noise.yaml")
    write_json(run / "splits.json", dict(sorted(splits.items())))
    write_text(written, settings)
    return None


def read_splits(run: Path) -> Splits:
    """Split by subject, as it was when the run was trained.

    Raises:
        UserError: The run has no readable ``splits.json``.
    """
    path = run / "splits.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}). Train again.") from None
    return {str(subject): str(split) for subject, split in content.items()}


CARD = """# A denoising VAE trained with medvae {version}

It encodes T1-weighted head scans, {grid} voxels of {spacing} mm, and decodes them as
one of its training sites would have scanned them.

| | |
|---|---|
| training sites | {sites} |
| scans | {training} for training, {validation} for validation |
| held-out sites | {held_out} |
| corruption | {noise} (noise.yaml), {copies} fresh draws of every scan at every step |
| latent | {latent}, {channels} channels |
| seed | {seed} |

Use it from Python:

        encoder = medvae.Encoder.load("{name}")
    latent = encoder.encode("scan.nii.gz")

**Limits.** Not a medical device. What it does on a scanner unlike all of its training
sites has to be measured, not assumed: `medvae evaluate {name} --held-out SITE`.
"""


def write_card(
    run: Path,
    config: TrainConfig,
    cohort: Cohort,
    sites: tuple[str, ...],
    counts: tuple[int, int],
) -> None:
    """Write README.md, the model card: what it was made from, and its limits."""
    seen = sites or tuple(s for s in cohort.sites if s not in config.held_out)
    text = CARD.format(
        version=__version__,
        grid=" x ".join(map(str, config.grid.shape)),
        spacing=" x ".join(f"{step:g}" for step in config.grid.spacing_mm),
        sites=", ".join(seen) or "not labelled",
        training=counts[0],
        validation=counts[1],
        held_out=", ".join(config.held_out) or "none",
        noise=Path(config.noise).stem,
        copies=config.objective.corruptions,
        latent=config.network.latent,
        channels=config.network.latent_channels,
        seed=config.seed,
        name=run.name,
    )
    write_text(run / "README.md", text)
