"""The whole comparison, from a cohort or nothing to compare.json and a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from joblib import delayed

from medvae.cohort import Cohort, Scan, examined_cohort, without_bad
from medvae.comparison.claim import claim
from medvae.comparison.plan import (
    NO_DATA,
    OF_OTHERS,
    ORACLES,
    Plan,
    check_holds_out,
)
from medvae.comparison.report import write_comparison_report
from medvae.comparison.result import collect
from medvae.comparison.stage import Stage, open_store
from medvae.comparison.unit import Unit, run_unit
from medvae.errors import UserError
from medvae.evaluation.baselines.combat import FEWEST
from medvae.evaluation.estimate import Estimate
from medvae.evaluation.report.numbers import number
from medvae.files import write_json
from medvae.lock import sole_writer
from medvae.phantom import make_phantom
from medvae.phantom.reimage import read_recipe
from medvae.settings import nearest
from medvae.threads import one_thread
from medvae.training.material import check_held_out
from medvae.training.split import assign_splits
from noise_models.workers import workers

Progress = Callable[[int, int, str], None]
Bar = Callable[[str], AbstractContextManager[Progress]]
Say = Callable[[str], None]

TOLD = (
    ("reconstruction.z_scored_error_held_out", "held-out error"),
    ("transfer.with_detail", "harmonised error"),
    ("transfer.error", "decoded error"),
    ("leakage.auc_rbf_sample", "leakage AUC"),
    ("age.share_of_chance_across", "age error / chance"),
    ("travelers.reidentification_held_out", "recognised"),
)


@dataclass(frozen=True)
class Compared:
    """What a comparison wrote."""

    content: dict[str, Any]
    result: Path
    report: Path


def open_data(
    plan: Plan,
    data: Path | None,
    out: Path,
    jobs: int,
    bar: Bar,
    cache: Path | None = None,
) -> Cohort:
    """The scans that a comparison is made on; a phantom is made where none are named.

    What was found in them is remembered in ``cache``, or else in ``out / "cache"``.

    Raises:
        UserError: Neither data nor a phantom, or an oracle without a phantom.
    """
    root = data
    if root is None:
        if plan.phantom is None:
            raise UserError(NO_DATA)
        root = out / "phantom"
        with bar("Scanning") as progress:
            make_phantom(
                root,
                sites=plan.phantom.sites,
                subjects=plan.phantom.subjects,
                travelers=plan.phantom.travelers,
                seed=plan.phantom.seed,
                voxel_scale=plan.phantom.voxel_scale,
                progress=progress,
                jobs=jobs,
            )
    with bar("Checking") as progress:
        kept = cache or out / "cache"
        found = examined_cohort(root, cache=kept, progress=progress)
    cohort = without_bad(found.cohort)
    check_comparable(plan, cohort)
    return cohort


def check_comparable(plan: Plan, cohort: Cohort) -> None:
    """Refuse a plan that the cohort cannot carry, before any work.

    Raises:
        UserError: No or unknown held-out sites, unknown sites in ``fit_only``, or an
            oracle without a phantom; ComBat with one scan of a site to learn from.
    """
    check_holds_out(plan, cohort.sites)
    unknown = [site for site in plan.fit_only if site not in cohort.sites]
    if unknown and any(arm.regime == "many" for arm in plan.arms):
        hint = nearest(unknown[0], [*cohort.sites])
        raise UserError(f"fit_only: no scan of site {unknown[0]!r}.{hint}")
    check_held_out(cohort.without_sites(plan.fit_only), plan.held_out)
    if any(arm.noise in ORACLES for arm in plan.arms):
        read_recipe(cohort.root)
    if any(arm.baseline == "combat" for arm in plan.arms):
        for seed in range(plan.seeds):
            _check_corrected(cohort.without_sites(plan.fit_only), plan.held_out, seed)


def _check_corrected(cohort: Cohort, held_out: tuple[str, ...], seed: int) -> None:
    splits = assign_splits(cohort, held_out, seed)
    learned = Counter(
        scan.site for scan in cohort.scans if splits[scan.subject] == "train"
    )
    for site in cohort.without_sites(held_out).sites:
        if learned[site] < FEWEST:
            raise UserError(
                f"ComBat learns from {FEWEST} scans a site, and {site} has "
                f"{learned[site]} in the training split of seed {seed}. Leave out the "
                "arms of ComBat, or the site, or give more scans of it."
            )


def run_comparison(
    plan: Plan,
    cohort: Cohort,
    out: Path,
    *,
    cache: Path,
    jobs: int,
    command: str,
    say: Say,
    bar: Bar,
) -> Compared:
    """Run every arm on every seed, or what is left of it, and write the result.

    Args:
        plan: What is compared.
        cohort: On which scans; see `open_data`.
        out: Folder to write.
        cache: Folder of prepared scans, estimates and views.
        jobs: Arms at a time; with one, preparing still takes one process.
        command: That asked for it, for the record.
        say: Told a line for every finished arm.
        bar: Opens a progress display with a title.

    Raises:
        UserError: ``out`` holds arms of another comparison.
    """
    check_comparable(plan, cohort)
    with sole_writer(out):
        return _run(plan, cohort, out, cache, jobs, command, say, bar)


def _run(
    plan: Plan,
    cohort: Cohort,
    out: Path,
    cache: Path,
    jobs: int,
    command: str,
    say: Say,
    bar: Bar,
) -> Compared:
    cohort, fit_only = set_apart(cohort, plan.fit_only)
    store = open_store(plan, cohort, cache, jobs, bar)
    stages = [
        Stage(
            plan=plan,
            cohort=cohort,
            store=store,
            seed=seed,
            out=out,
            cache=cache,
            jobs=jobs,
            bar=bar,
            fit_only=fit_only,
        )
        for seed in range(plan.seeds)
    ]
    units = {arm.name: [Unit(arm, stage) for stage in stages] for arm in plan.arms}
    waiting = [u for own in units.values() for u in own if not u.is_done()]
    total = sum(len(own) for own in units.values())
    say(f"{total - len(waiting)} of {total} runs are finished already.")
    fits = {unit.stage.folder: unit.stage.mark() for unit in waiting}
    claim({unit.folder: unit.digest() for unit in waiting} | fits)
    for stage in stages:
        _share(stage, [unit for unit in waiting if unit.stage is stage])
    done = total - len(waiting)
    # Some correct or read the latents of another arm, which has to be there.
    for part in (
        [unit for unit in waiting if unit.arm.baseline not in OF_OTHERS],
        [unit for unit in waiting if unit.arm.baseline in OF_OTHERS],
    ):
        for unit in _each(part, jobs):
            done += 1
            say(f"[{done}/{total}] {_line(unit)}")
    content = collect(plan, units, command)
    write_json(out / "compare.json", content)
    report = write_comparison_report(out / "report.html", content, units)
    return Compared(content, out / "compare.json", report)


def set_apart(cohort: Cohort, sites: Sequence[str]) -> tuple[Cohort, tuple[Scan, ...]]:
    """The cohort without sites that only a fit sees, and scans of their own people.

    Example:
        >>> cohort = Cohort(Path(), "csv", ())
        >>> set_apart(cohort, ["OHSU"]) == (cohort, ())
        True
    """
    others = cohort.without_subjects(cohort.travelers())
    scans = tuple(scan for scan in others.scans if scan.site in sites)
    return cohort.without_sites(sites), scans


def _share(stage: Stage, waiting: Sequence[Unit]) -> None:
    """Make what several arms read before any of them runs beside another."""
    for unit in waiting:
        stage.noise(unit.arm)
        stage.views(unit.arm)


def _each(units: Sequence[Unit], jobs: int) -> Any:  # noqa: ANN401 (joblib's generator)
    if jobs == 1 or len(units) < 2:
        for unit in units:
            run_unit(unit)
            yield unit
        return
    pool = workers(min(jobs, len(units)), unordered=True)
    quiet = [Unit(u.arm, replace(u.stage, jobs=1, bar=no_bar)) for u in units]
    yield from pool(delayed(_alone)(unit) for unit in quiet)


def _alone(unit: Unit) -> Unit:
    """One unit in a process of its own, with one thread."""
    import torch

    torch.set_num_threads(1)
    one_thread(run_unit)(unit)
    return unit


@contextmanager
def no_bar(title: str) -> Any:  # noqa: ANN401 (a context manager)
    """A progress display that shows nothing.

    Example:
        >>> with no_bar("Training") as progress:
        ...     progress(1, 2, "half")
    """
    del title
    yield lambda done, total, label: None


def _line(unit: Unit) -> str:
    found = unit.evaluation()
    words = [f"{unit.arm.name}, seed {unit.stage.seed}"]
    for key, label in TOLD:
        group, name = key.split(".")
        value = found.get(group, name)
        if value is not None:
            words.append(f"{label} {value.value:.3f}")
    return "; ".join(words)


def table_of(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Rows of the terminal table: arms against the numbers to read together.

    Example:
        >>> one = {"arms": {"none": {"transfer.error": {"mean": 1, "ci95": [0, 2]}}},
        ...        "gaps": {}}
        >>> table_of(one)
        (['arm', 'decoded error', 'gap closed'], [['none', '1.00 (0.00 to 2.00)', '']])
    """
    arms = content["arms"]
    shown = [(k, w) for k, w in TOLD if any(k in numbers for numbers in arms.values())]
    rows = []
    for name, numbers in arms.items():
        cells = [_cell(numbers.get(key)) for key, _ in shown]
        gap = content["gaps"].get(name)
        rows.append(
            [name, *cells, _cell(gap) if gap and gap["mean"] is not None else ""]
        )
    return ["arm", *(word for _, word in shown), "gap closed"], rows


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    ci95 = tuple(found["ci95"]) if found["ci95"] else None
    return number(Estimate(found["mean"], ci95, 0))
