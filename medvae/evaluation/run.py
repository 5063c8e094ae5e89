"""Evaluating a run folder: the same splits, the same grid, then the protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from medvae.cohort import Cohort
from medvae.encoding.averaged import AveragedEncoder
from medvae.encoding.encoder import Encoder
from medvae.errors import UserError
from medvae.evaluation.latents import StoredScan, stored_scans
from medvae.evaluation.pictures import choose_scans, pictures
from medvae.evaluation.protocol import evaluate
from medvae.evaluation.report import write_report
from medvae.evaluation.result import Evaluation
from medvae.files import digest, user_cache
from medvae.noise.named import open_noise
from medvae.training.config import load_config
from medvae.training.progress import Progress
from medvae.training.run_folder import read_plan
from medvae.version import software
from medvae.volume import prepare_scans

LEARNED = ("train", "validation")


def evaluate_run(
    run: Path,
    cohort: Cohort,
    *,
    held_out: Sequence[str] | None = None,
    cache: Path | None = None,
    jobs: int = 1,
    seed: int = 0,
    copies: int = 0,
    progress: Progress | None = None,
    command: str = "",
) -> Evaluation:
    """Ask a run every question that a cohort can answer.

    Subjects that the run was trained on keep their split; subjects it has never met
    count as test subjects.

    Args:
        run: Run folder.
        cohort: The scans to evaluate on.
        held_out: Sites never seen; by default those the run itself held out.
        cache: Folder of prepared volumes.
        jobs: Processes for preparing.
        seed: Of folds, permutations and bootstrap.
        copies: Also reconstruct from codes averaged over so many corrupted copies.
        progress: Called with (done, total, words).
        command: What was typed, for the record.

    Raises:
        UserError: Not a run folder, or a site that the cohort does not have.
    """
    encoder = Encoder.load(run)
    config = load_config(run / "config.yaml")
    apart = sites_apart(run, cohort, held_out)
    scans = prepared_scans(encoder, run, cohort, cache, jobs, progress)
    averaged = None
    if copies:
        noise, _ = open_noise(str(run / "noise.yaml"), config.dispersion)
        averaged = AveragedEncoder(encoder.vae, noise, copies)
    found = evaluate(
        encoder,
        scans,
        held_out=apart,
        seed=seed,
        progress=progress,
        run=run.name,
        averaged=averaged,
    )
    provenance = {
        "command": command,
        "seed": seed,
        "software": software(),
        "model_digest": encoder.model_digest,
        "scans": len(cohort.scans),
        "scans_digest": scans_digest(
            (scan.subject, scan.site, digest(scan.path)) for scan in cohort.scans
        ),
    }
    return replace(found, provenance=provenance)


def scans_digest(scans: Iterable[tuple[str, str | None, str]]) -> str:
    """Changes with who was scanned where, and with any voxel; not with paths.

    Args:
        scans: Subject, site and SHA-256 of every scan.

    Example:
        >>> a, b = ("1", "A", "ab"), ("2", None, "cd")
        >>> scans_digest([a, b]) == scans_digest([b, a])
        True
    """
    rows = sorted([subject, site or "", mark] for subject, site, mark in scans)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def sites_apart(
    run: Path, cohort: Cohort, held_out: Sequence[str] | None = None
) -> tuple[str, ...]:
    """The sites of a cohort that count as never seen; by default as the run says.

    Raises:
        UserError: A site that the cohort does not have, or that was trained on.
    """
    if held_out is None:
        asked = load_config(run / "config.yaml").held_out
        apart = tuple(site for site in asked if site in cohort.sites)
    else:
        apart = tuple(held_out)
    learned = read_plan(run).sites
    for site in apart:
        if site not in cohort.sites:
            known = ", ".join(cohort.sites)
            raise UserError(f"--held-out {site}: no such site; known: {known}.")
        if site in learned:
            raise UserError(
                f"--held-out {site}: {run} was trained on it. Choose a site other than "
                f"{', '.join(learned)}, or train without it."
            )
    return apart


def prepared_scans(
    encoder: Encoder,
    run: Path,
    cohort: Cohort,
    cache: Path | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> list[StoredScan]:
    """The cohort on the run's grid, each scan with the split of its subject."""
    folder = (cache or user_cache()) / "volumes"
    store = prepare_scans(cohort.scans, encoder.grid, folder, jobs, progress)
    plan = read_plan(run)
    learned = {k: v for k, v in plan.subjects.items() if v in LEARNED}
    splits = {s.subject: learned.get(s.subject, "test") for s in cohort.scans}
    return list(stored_scans(store, cohort.scans, splits))


def write_run_report(
    path: Path,
    run: Path,
    found: Evaluation,
    cohort: Cohort,
    cache: Path | None = None,
) -> Path:
    """Write the report of one run; its numbers stand in ``evaluation.json``."""
    encoder, config = Encoder.load(run), load_config(run / "config.yaml")
    noise, _ = open_noise(str(run / "noise.yaml"), config.dispersion)
    scans = choose_scans(prepared_scans(encoder, run, cohort, cache))
    target = encoder.sites[0] if encoder.sites else None
    return write_report(
        path,
        title=f'What the run "{run.name}" keeps and what it forgets',
        evaluations={run.name: found},
        noise={run.name: f"{config.noise} (noise.yaml)"},
        pictures=pictures({run.name: encoder}, scans, noise, target),
        curves={run.name: run / "metrics.jsonl"},
    )
