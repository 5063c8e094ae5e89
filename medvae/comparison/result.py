"""compare.json: every arm's numbers over seeds, and the gap to the oracle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from scipy.stats import t as student

from medvae.comparison.gap import SHARES, Drawn, differences, draw_people, gap_closed
from medvae.comparison.plan import Plan
from medvae.comparison.same_setting import same_settings
from medvae.comparison.unit import Unit
from medvae.evaluation.estimate import Estimate
from medvae.evaluation.result import Evaluation
from medvae.evaluation.run import scans_digest
from medvae.version import __version__, software

FORMAT = "medvae-comparison-1"
SHARES_OF_ONE = ("auc_", "balanced_accuracy_", "reidentification_")
"""Numbers that lie between 0 and 1, and so must their intervals."""


def over_seeds(found: Sequence[Estimate]) -> Estimate:
    """One number of several seeds, whose interval covers people and seeds.

    The half-width to either side is sqrt(mean of the squared half-widths of single
    runs + t^2 s^2 / S), s the standard deviation over the S seeds and t Student's with
    S - 1 degrees of freedom: 4.3 for three seeds, where 1.96 covers 81 %. The people's
    share does not shrink with S: travelers and held-out sites are the same in every
    run.

    Example:
        >>> both = over_seeds([Estimate(1.0, (0.9, 1.1), 5), Estimate(1.0, None, 5)])
        >>> both.value, [round(v, 2) for v in both.ci95]
        (1.0, [0.9, 1.1])
    """
    values = np.array([e.value for e in found])
    mean = float(values.mean())
    spread = 0.0
    if len(values) > 1:
        wide = float(student.ppf(0.975, len(values) - 1))
        spread = wide**2 * float(values.var(ddof=1)) / len(values)
    known = [(e.value - e.ci95[0], e.ci95[1] - e.value) for e in found if e.ci95]
    ci95 = None
    if known:
        low, high = (
            math.sqrt(float(np.mean(np.square(v))) + spread)
            for v in zip(*known, strict=True)
        )
        ci95 = (mean - low, mean + high)
    chances = [e.chance for e in found if e.chance is not None]
    ps = [e.p for e in found if e.p is not None]
    return Estimate(
        value=mean,
        ci95=ci95,
        n=min(e.n for e in found),
        chance=float(np.mean(chances)) if chances else None,
        p=max(ps) if ps else None,
    )


def pooled(name: str, runs: Sequence[Evaluation]) -> Evaluation:
    """An arm's evaluations over seeds as one; numbers that every seed has.

    What one seed could not answer is unanswered.

    The p of a pooled number is the largest of the seeds.
    """
    metrics: dict[str, dict[str, Estimate]] = {}
    for group, numbers in runs[0].metrics.items():
        for key in numbers:
            found = [number for run in runs if (number := run.get(group, key))]
            if len(found) == len(runs):
                number = over_seeds(found)
                if key.startswith(SHARES_OF_ONE):
                    number = _within_one(number)
                metrics.setdefault(group, {})[key] = number
    return Evaluation(
        run=name,
        held_out=runs[0].held_out,
        metrics=metrics,
        travelers=tuple(row for run in runs for row in run.travelers),
        unanswered=tuple(dict.fromkeys(row for run in runs for row in run.unanswered)),
        notes=tuple(dict.fromkeys(note for run in runs for note in run.notes)),
        points=runs[0].points,
    )


def _within_one(number: Estimate) -> Estimate:
    if number.ci95 is None:
        return number
    low, high = number.ci95
    return replace(number, ci95=(max(low, 0.0), min(high, 1.0)))


def collect(
    plan: Plan, units: Mapping[str, Sequence[Unit]], command: str
) -> dict[str, Any]:
    """The content of compare.json.

    Args:
        plan: What was compared.
        units: Finished, by arm, one a seed.
        command: That made it.
    """
    arms = {
        name: pooled(name, [unit.evaluation() for unit in own])
        for name, own in units.items()
    }
    runs = {
        name: {unit.stage.seed: unit.scores() for unit in own}
        for name, own in units.items()
    }
    drawn = draw_people(runs, np.random.default_rng(0))
    gaps, reason = gaps_of(plan, drawn)
    main = gaps.get(plan.challenger)
    return {
        "format": FORMAT,
        "version": __version__,
        "command": command,
        "provenance": _provenance(units),
        "seeds": sorted({unit.stage.seed for own in units.values() for unit in own}),
        "held_out": list(plan.held_out),
        "arms": {name: _numbers(arm) for name, arm in arms.items()},
        "gap_closed": main or {"mean": None, "ci95": None, "metric": reason},
        "gaps": gaps,
        "differences": differences(drawn, plan.challenger)
        if plan.challenger in drawn
        else {},
        "same_setting": same_settings(plan, drawn),
        "settings": {name: _facts(own) for name, own in units.items()},
        "points": {name: _points(own) for name, own in units.items()},
        "per_seed": {
            name: {
                str(unit.stage.seed): {
                    f"{group}.{key}": number.value
                    for group, numbers in unit.evaluation().metrics.items()
                    for key, number in numbers.items()
                }
                for unit in own
            }
            for name, own in units.items()
        },
        "per_site": {name: per_site(own) for name, own in units.items()},
        "plan": plan.model_dump(mode="json"),
    }


def _provenance(units: Mapping[str, Sequence[Unit]]) -> dict[str, Any]:
    """What the numbers hang on, in the words of evaluation.json."""
    stage = next(iter(units.values()))[0].stage
    return {
        "software": software(),
        "scans": len(stage.cohort.scans),
        "scans_digest": scans_digest(stage.content),
        "model_digests": {
            name: {str(unit.stage.seed): unit.weights_digest() for unit in own}
            for name, own in units.items()
        },
    }


def _numbers(arm: Evaluation) -> dict[str, dict[str, object]]:
    return {
        f"{group}.{key}": {
            "mean": number.value,
            "ci95": None if number.ci95 is None else list(number.ci95),
            "n": number.n,
            "chance": number.chance,
            "p": number.p,
        }
        for group, numbers in arm.metrics.items()
        for key, number in numbers.items()
    }


def gaps_of(plan: Plan, drawn: Drawn) -> tuple[dict[str, Any], str]:
    """Every arm's share of the way to the oracle, and why there is none.

    An arm's code read along axes by its own means (`Arm.reads`) is one more setting of
    it, which the share in leakage at equal biology may stand on.

    Args:
        plan: Names the generic arms and the oracle.
        drawn: What `draw_people` found.
    """
    generic = [arm.name for arm in plan.arms if arm.is_generic]
    oracle = plan.oracle
    if oracle is None:
        return {}, "no oracle: only a phantom has its true scanners"
    if not generic:
        return {}, "no generic arm to start from"
    readings = {
        arm.name: [
            *drawn[arm.name],
            *(s for other in plan.arms if other.reads(arm) for s in drawn[other.name]),
        ]
        for arm in plan.arms
        if not arm.of
    }
    gaps = {}
    for name in readings:
        if name in (*generic, oracle):
            continue
        whole, each = gap_closed(readings, name, generic, oracle)
        gaps[name] = {
            **whole.as_dict(),
            "metric": "mean of " + ", ".join(SHARES),
            "each": {key: share.as_dict() for key, share in each.items()},
        }
    if plan.challenger in drawn:
        return gaps, f"arm {plan.challenger} is an end of the way, or reads another's"
    return gaps, f"arm {plan.challenger} was not run"


def _facts(own: Sequence[Unit]) -> dict[str, Any]:
    """How strong the corruption was, and which setting each seed chose."""
    found = {str(unit.stage.seed): unit.finished() for unit in own}
    return {
        "arm": own[0].arm.model_dump(mode="json"),
        "energy": {seed: f.energy for seed, f in found.items()},
        "level_factor": {seed: f.factor for seed, f in found.items()},
        "chosen": {seed: f.settings[f.choice] for seed, f in found.items()},
        "validation": {
            seed: {str(k): asdict(v) for k, v in f.validation.items()}
            for seed, f in found.items()
        },
    }


def _points(own: Sequence[Unit]) -> list[dict[str, object]]:
    """Leakage, age error and re-identification of every setting, over seeds."""
    count = len(own[0].arm.settings)
    rows: list[dict[str, object]] = []
    for k in range(count):
        scores = [unit.scores()[0 if count == 1 else k + 1] for unit in own]
        row: dict[str, object] = {"settings": dict(own[0].arm.settings[k])}
        for measure in ("leakage", "age_error", "reidentification"):
            values = [s.value(measure) for s in scores]
            known = [v for v in values if np.isfinite(v)]
            row[measure] = float(np.mean(known)) if known else None
        rows.append(row)
    return rows


def per_site(own: Sequence[Unit]) -> dict[str, dict[str, float]]:
    """Mean errors by site: of reconstruction at it, of scans harmonised from it."""
    sums: dict[str, dict[str, list[float]]] = {}
    measures = {
        "seen_reconstruction": "reconstruction",
        "held_out_reconstruction": "reconstruction",
        "traveler_harmonisation": "transfer",
    }
    for unit in own:
        scores = unit.scores()[0]
        for measure, word in measures.items():
            for row in scores.rows.get(measure, ()):
                sums.setdefault(row.site, {}).setdefault(word, []).append(row.value)
    return {
        site: {word: float(np.mean(v)) for word, v in sorted(words.items())}
        for site, words in sorted(sums.items())
    }
