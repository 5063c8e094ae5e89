"""Fitting the scanner noise of a cohort: reading is ours, the method noise_models'."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from joblib import delayed

from medvae.cohort import Cohort, Scan
from medvae.errors import UserError
from medvae.files import user_cache
from medvae.lock import sweep_old
from medvae.noise.covariates import covariate_values
from noise_models.base import NoiseModel
from noise_models.chain import Chain
from noise_models.workers import workers

if TYPE_CHECKING:
    from noise_models.scanner import ScannerNoise

Progress = Callable[[int, int, str], None]


def fit_sites(
    cohort: Cohort,
    out: Path,
    *,
    paired: bool = False,
    adjust: Sequence[str] | None = None,
    seed: int = 0,
    jobs: int = 1,
    dask: str | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> ScannerNoise:
    """Fit how the sites of a cohort differ, and write the fitted file.

    Args:
        cohort: Scans of two or more sites.
        out: YAML file to write.
        paired: Compare the scans of people seen at several sites.
        adjust: Columns to adjust for: None for age and sex where they vary, empty
            for none.
        seed: Of bootstrap and folds.
        jobs: Processes.
        dask: Address of a Dask scheduler whose workers do the work instead.
        cache: Folder of scan estimates; by default the user's cache.
        progress: Called with (done, total, name).
        command: What was typed, for the record.

    Raises:
        UserError: A scan that cannot be measured, or too few of them; or the file
            cannot be written.
    """
    from noise_models.scanner import fit, save_scanner

    unlabelled = [scan for scan in cohort.scans if scan.site is None]
    if unlabelled:
        raise UserError(f"{unlabelled[0].path}: no site. Use --site-from.")
    folder = (cache or user_cache()) / "estimates"
    covariates, chosen = covariate_values(cohort, adjust)
    try:
        fitted = fit(
            {site: [s.path for s in cohort.at(site).scans] for site in cohort.sites},
            subjects={
                site: [s.subject for s in cohort.at(site).scans]
                for site in cohort.sites
            },
            evidence="paired" if paired else "unpaired",
            covariates=covariates if any(covariates.values()) else None,
            adjust=chosen,
            seed=seed,
            jobs=jobs,
            dask=dask,
            cache=folder,
            progress=progress,
            command=command,
        )
    except (ValueError, ImportError) as error:
        raise UserError(str(error)) from None
    try:
        save_scanner(fitted, out)
    except OSError as error:
        raise UserError(
            f"{out}: cannot be written ({error.strerror}). Choose another, and fit "
            "again; what was measured is kept."
        ) from None
    return fitted


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

    sweep_old(cache, "*.part")
    pool = workers(jobs)
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
