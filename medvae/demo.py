"""The whole pipeline on the built-in phantom: ``medvae demo``.

Five simulated hospitals, one of them kept out of everything that learns. The noise is
fitted from the residents of the training sites; two autoencoders are trained alike but
for the corruption (none, or the fitted scanner noise); both are asked to decode the
travelers' scans from the unseen hospital as a training hospital would have seen them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from medvae.cohort import Cohort, check_cohort, read_cohort
from medvae.cohort import summarise as summarise_cohort
from medvae.encoding.encoder import Encoder
from medvae.evaluation import Evaluation, compare_transfer
from medvae.evaluation.pictures import choose_scans, draw_sheet, pictures
from medvae.evaluation.report import (
    describe_comparison,
    headlines,
    write_report,
)
from medvae.evaluation.run import evaluate_run, prepared_scans
from medvae.lock import sole_writer
from medvae.noise.fitted import fit_sites
from medvae.noise.named import open_noise
from medvae.phantom import make_phantom
from medvae.training.config import TrainConfig, parse_config
from medvae.training.material import gather
from medvae.training.run import train

Progress = Callable[[int, int, str], None]
Bar = Callable[[str], AbstractContextManager[Progress]]

SITES = ("NYU", "UM_1", "KKI", "CALTECH")
UNSEEN = "STANFORD"
EXTENT_MM = (192, 224, 192)  # of the training grid, at least: axes are multiples of 8


@dataclass(frozen=True)
class DemoSize:
    """How much the demo makes and trains; the defaults fit two cores.

    ``grid_mm`` is the voxel size that both networks are trained at.
    """

    subjects: int = 14
    travelers: int = 10
    voxel_scale: float = 2.0
    grid_mm: float = 4.0
    epochs: int = 60
    jobs: int = 2


@dataclass(frozen=True)
class DemoResult:
    """Where the report is, and what the demo found, in sentences with numbers."""

    report: Path
    findings: tuple[str, ...]


def demo_config(noise: str, seed: int, size: DemoSize) -> TrainConfig:
    """The settings of both runs: all but the noise are the same."""
    shape = [8 * math.ceil(extent / 8 / size.grid_mm) for extent in EXTENT_MM]
    return parse_config(
        {
            "noise": noise,
            "dispersion": 1.0,
            "held_out": (UNSEEN,),
            "seed": seed,
            "device": "cpu",
            "jobs": size.jobs,
            "grid": {"shape": shape, "spacing_mm": [size.grid_mm] * 3},
            "network": {"channels": (8, 32, 64), "latent_channels": 8},
            "objective": {"corruptions": 1},
            "optimiser": {"epochs": size.epochs, "batch_size": 1},
        },
        "demo",
    )


def residents(cohort: Cohort) -> Cohort:
    """The scans that fit-noise may see: training sites, and no traveler."""
    return cohort.without_sites((UNSEEN,)).without_subjects(cohort.travelers())


def run_demo(
    out: Path,
    *,
    seed: int,
    size: DemoSize,
    say: Callable[[str], None],
    bar: Bar,
) -> DemoResult:
    """Phantom, fit, two runs, evaluation, report; finished steps are not repeated.

    Args:
        out: Folder to write.
        seed: Decides every number.
        size: How much to make and to train.
        say: Told what happens, a line a step.
        bar: Opens a progress display with a title.

    Raises:
        UserError: Another process writes there.
    """
    with sole_writer(out):
        return _run(out, seed, size, say, bar)


def _run(
    out: Path, seed: int, size: DemoSize, say: Callable[[str], None], bar: Bar
) -> DemoResult:
    data, cache = out / "phantom", out / "cache"
    say(f"1/5  A phantom: {', '.join((*SITES, UNSEEN))}; {UNSEEN} stays unseen.")
    with bar("Scanning") as progress:
        make_phantom(
            data,
            sites=(*SITES, UNSEEN),
            subjects=size.subjects,
            travelers=size.travelers,
            seed=seed,
            voxel_scale=size.voxel_scale,
            progress=progress,
            jobs=size.jobs,
        )
    with bar("Checking") as progress:
        cohort = check_cohort(read_cohort(data), True, progress=progress)
    say(f"2/5  How {', '.join(SITES)} differ, fitted from their residents.")
    fitted = out / "scanner.yaml"
    with bar("Measuring") as progress:
        if not fitted.exists():
            fit_sites(
                residents(cohort),
                fitted,
                seed=seed,
                jobs=size.jobs,
                cache=cache,
                progress=progress,
            )
    runs = {"scanner": str(fitted), "none": "none"}
    found: dict[str, Evaluation] = {}
    for step, (name, noise) in enumerate(runs.items(), start=3):
        say(f"{step}/5  A denoising VAE with corruption '{name}'.")
        run = out / "runs" / name
        train_once(demo_config(noise, seed, size), cohort, run, cache, bar)
        with bar("Evaluating") as progress:
            found[name] = evaluate_run(
                run, cohort, cache=cache, jobs=size.jobs, seed=seed, progress=progress
            )
        found[name].write(run / "evaluation.json")
    say("5/5  The report.")
    findings = tuple(summarise(found))
    report = write_demo_report(out, cohort, found, findings, cache)
    return DemoResult(report, findings)


def train_once(
    config: TrainConfig, cohort: Cohort, run: Path, cache: Path, bar: Bar
) -> None:
    """Train a run unless it is finished; go on where it was interrupted."""
    if (run / "model.safetensors").exists():
        return
    noise, _ = open_noise(config.noise, config.dispersion)
    with bar("Preparing") as progress:
        material = gather(config, cohort, noise, cache, progress)
    with bar("Training") as progress:
        train(config, cohort, material, noise, run, resume=True, progress=progress)


def summarise(found: Mapping[str, Evaluation]) -> list[str]:
    """Sentences with numbers: against no corruption, transfer, what leaks."""
    scanner = found["scanner"]
    compared = compare_transfer(found["none"], scanner)
    return [describe_comparison(compared, "scanner", "none"), *headlines(scanner)]


def write_demo_report(
    out: Path,
    cohort: Cohort,
    found: Mapping[str, Evaluation],
    findings: Sequence[str],
    cache: Path,
) -> Path:
    """The report of both runs side by side, with pictures of one traveler."""
    runs = {name: out / "runs" / name for name in found}
    encoders = {name: Encoder.load(run) for name, run in runs.items()}
    lead = encoders["scanner"]
    scans = choose_scans(prepared_scans(lead, runs["scanner"], cohort, cache))
    fitted, _ = open_noise(str(out / "scanner.yaml"))
    rows = pictures(encoders, scans, fitted, SITES[0])
    draw_sheet(out / "travelers.png", rows)
    return write_report(
        out / "report.html",
        title="One head, five scanners: what an encoder learned to see through",
        intro=(
            f"Simulated hospitals around real MNI152 anatomy. {UNSEEN} was kept out "
            "of the fit, the training and every choice; the travelers, people scanned "
            "at all sites, were kept for the test."
        ),
        evaluations=dict(found),
        findings=findings,
        cohort=summarise_cohort(cohort),
        noise={
            "scanner": f"fitted from {', '.join(SITES)} (scanner.yaml)",
            "none": "no corruption: an ordinary VAE",
        },
        pictures=rows,
        curves={name: run / "metrics.jsonl" for name, run in runs.items()},
        reference="none",
    )
