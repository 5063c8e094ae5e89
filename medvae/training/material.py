"""Gathering what a run learns from: prepared volumes, splits, scanner estimates."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from joblib import Parallel, delayed

from medvae.cohort import Cohort, Scan
from medvae.errors import UserError
from medvae.training.config import TrainConfig
from medvae.training.progress import Progress
from medvae.training.run import Material, grid_of
from medvae.training.split import assign_splits
from medvae.volume import prepare_scans
from noise_models.base import NoiseModel
from noise_models.chain import Chain


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/medvae``, or ``~/.cache/medvae``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "medvae"


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
        cohort: All scans; those of held-out sites are neither read nor kept.
        noise: The corruption; a fitted one knows its own scans by their digests.
        cache: Folder of prepared volumes; by default the user's cache.
        progress: Called with (done, total, name).
    """
    seen = cohort.without_sites(config.held_out)
    splits = assign_splits(cohort, config.held_out, config.seed)
    folder = (cache or default_cache()) / "volumes"
    volumes = prepare_scans(seen.scans, grid_of(config), folder, config.jobs, progress)
    sources: dict[Path, object] = {}
    if needs_estimates(noise):
        learned = [
            s for s in seen.scans if splits[s.subject] in ("train", "validation")
        ]
        kept = (cache or default_cache()) / "estimates"
        sources |= estimate_scans(learned, kept, config.jobs, progress)
    return Material(seen.scans, volumes, splits, sources)


def needs_estimates(noise: NoiseModel) -> bool:
    """Whether a corruption wants to know each scan's own scanner.

    Example:
        >>> from noise_models.rician import Rician
        >>> needs_estimates(Rician())
        False
    """
    if isinstance(noise, Chain):
        return any(needs_estimates(step) for step in noise.steps)
    return noise.name == "scanner"


def estimate_scans(
    scans: Sequence[Scan], cache: Path, jobs: int, progress: Progress | None = None
) -> dict[Path, object]:
    """What each scan tells of its own scanner, by path; remembered by content.

    Raises:
        UserError: A scan cannot be measured; names it.
    """
    from noise_models.scanner import estimate_cached

    pool = Parallel(n_jobs=jobs, return_as="generator")
    work = (
        delayed(estimate_cached)(s.path, str(s.path), s.site or "", cache)
        for s in scans
    )
    found: dict[Path, object] = {}
    try:
        for scan, estimate in zip(scans, pool(work), strict=True):
            found[scan.path] = estimate
            if progress:
                progress(len(found), len(scans), f"measuring {scan.path.name}")
    except ValueError as error:
        raise UserError(str(error)) from None
    return found
