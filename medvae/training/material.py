"""Gathering what a run learns from: prepared volumes, splits, scanner estimates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medvae.cohort import Cohort
from medvae.errors import UserError
from medvae.files import user_cache
from medvae.noise.fitted import estimate_scans, needs_estimates
from medvae.training.config import TrainConfig
from medvae.training.progress import Progress
from medvae.training.run import Material, grid_of
from medvae.training.split import assign_splits
from medvae.volume import prepare_scans
from noise_models.base import NoiseModel


def check_held_out(cohort: Cohort, held_out: Sequence[str]) -> None:
    """Refuse held-out sites that the cohort does not have.

    Raises:
        UserError: An unknown site, or no site left to train on.
    """
    unknown = [site for site in held_out if site not in cohort.sites]
    if unknown:
        raise UserError(
            f"--held-out {unknown[0]}: no such site; known: {', '.join(cohort.sites)}."
        )
    if cohort.sites and not set(cohort.sites) - set(held_out):
        raise UserError("--held-out leaves no site to train on. Hold out fewer sites.")


def gather(
    config: TrainConfig,
    cohort: Cohort,
    noise: NoiseModel,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Material:
    """Prepare the training sites' scans, or find them prepared, and split them.

    Args:
        config: Grid, held-out sites, seed and processes.
        cohort: All scans; those of held-out sites are not prepared.
        noise: The corruption; a fitted one knows its own scans by their digests.
        cache: Folder of prepared volumes; by default the user's cache.
        progress: Called with (done, total, name).
    """
    seen = cohort.without_sites(config.held_out)
    splits = assign_splits(cohort, config.held_out, config.seed)
    folder = (cache or user_cache()) / "volumes"
    volumes = prepare_scans(seen.scans, grid_of(config), folder, config.jobs, progress)
    sources: dict[Path, object] = {}
    if needs_estimates(noise):
        learned = [
            s for s in seen.scans if splits[s.subject] in ("train", "validation")
        ]
        kept = (cache or user_cache()) / "estimates"
        sources |= estimate_scans(learned, kept, config.jobs, progress)
    return Material(seen.scans, volumes, splits, sources)
