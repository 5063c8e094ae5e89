"""Axes of a run folder, from the scans that the run was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medvae.cohort import Cohort, Scan
from medvae.encoding.axes import PersonAxes
from medvae.encoding.encoder import Encoder
from medvae.errors import UserError
from medvae.evaluation.copies import Progress, fit_person_axes
from medvae.evaluation.run import LEARNED
from medvae.files import user_cache
from medvae.noise.named import open_noise
from medvae.training.config import load_config
from medvae.training.run_folder import read_plan
from medvae.volume import prepare_scans


def fit_run_axes(
    run: Path,
    cohort: Cohort,
    *,
    seed: int = 0,
    cache: Path | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> PersonAxes:
    """Fit axes to a run's codes, with the corruption that it was trained with.

    Args:
        run: Run folder.
        cohort: Holds the scans it was trained on; others are left alone.
        seed: Of the copies.
        cache: Folder of prepared volumes and scan estimates.
        jobs: Processes for preparing and measuring.
        progress: Called with (done, total, words).

    Raises:
        UserError: Not a run folder, or none of its training scans in the cohort.
    """
    encoder, learned = Encoder.load(run), scans_learned(run, cohort)
    noise, _ = open_noise(
        str(run / "noise.yaml"), load_config(run / "config.yaml").dispersion
    )
    both = 2 * len(learned)  # every scan is prepared, then copied

    def told(before: int) -> Progress | None:
        if progress is None:
            return None
        return lambda done, _, label: progress(before + done, both, label)

    place = (cache or user_cache()) / "volumes"
    store = prepare_scans(learned, encoder.grid, place, jobs, told(0))
    found = fit_person_axes(
        encoder,
        dict(enumerate(learned)),
        store,
        noise,
        seed=seed,
        cache=cache,
        jobs=jobs,
        progress=told(len(learned)),
    )
    return replace(found, model_digest=encoder.model_digest)


def scans_learned(run: Path, cohort: Cohort) -> list[Scan]:
    """Those scans of a cohort that a run was trained, or validated, on.

    Raises:
        UserError: Not a run folder, or none of them.
    """
    plan = read_plan(run)
    learned = [
        scan
        for scan in cohort.scans
        if scan.site in plan.sites and plan.subjects.get(scan.subject) in LEARNED
    ]
    if not learned:
        raise UserError(
            f"{run}: none of the {len(cohort.scans)} scans was trained on. Give the "
            "scans of medvae train with --data."
        )
    return learned
