"""Fitting the scanner noise of a cohort: reading is ours, the method noise_models'."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medvae.cohort import Cohort
from medvae.errors import UserError
from medvae.training.material import default_cache
from medvae.training.progress import Progress

if TYPE_CHECKING:
    from noise_models.scanner import ScannerNoise


def fit_sites(
    cohort: Cohort,
    out: Path,
    *,
    seed: int = 0,
    jobs: int = 1,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> ScannerNoise:
    """Fit how the sites of a cohort differ, and write the fitted file.

    Args:
        cohort: Scans of two or more sites.
        out: YAML file to write.
        seed: Of bootstrap and folds.
        jobs: Processes.
        cache: Folder of scan estimates; by default the user's cache.
        progress: Called with (done, total, name).

    Raises:
        UserError: A scan that cannot be measured, or too few of them.
    """
    from noise_models.scanner import fit, save_scanner

    unlabelled = [scan for scan in cohort.scans if scan.site is None]
    if unlabelled:
        raise UserError(f"{unlabelled[0].path}: no site. Use --site-from.")
    folder = (cache or default_cache()) / "estimates"
    try:
        fitted = fit(
            {site: [s.path for s in cohort.at(site).scans] for site in cohort.sites},
            subjects={
                site: [s.subject for s in cohort.at(site).scans]
                for site in cohort.sites
            },
            seed=seed,
            jobs=jobs,
            cache=folder,
            progress=progress,
        )
    except ValueError as error:
        raise UserError(str(error)) from None
    save_scanner(fitted, out)
    return fitted
