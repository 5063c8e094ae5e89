"""Transfer by the site imitated: where harmonising helps, and where it does harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medvae.evaluation.bootstrap import least_p, mean_estimate, paired_difference
from medvae.evaluation.questions.setting import generator
from medvae.evaluation.questions.transfer import by_traveler
from medvae.evaluation.report.numbers import LEVEL, number, on_travelers
from medvae.evaluation.result import Evaluation, TravelerTransfer, names_of
from medvae.report.p_values import p_value

COLUMNS = {
    "left alone": "do_nothing",
    "harmonised, detail kept": "with_detail",
    "decoded alone": "error",
}


def target_rows(evaluations: Mapping[str, Evaluation]) -> list[dict[str, object]]:
    """Transfer errors by the site imitated, means over travelers, a row an arm."""
    rows: list[dict[str, object]] = []
    for arm, run in evaluations.items():
        for source, target in sorted({(t.source, t.target) for t in run.travelers}):
            mine = [
                t for t in run.travelers if (t.source, t.target) == (source, target)
            ]
            errors = {name: _mean(mine, key) for name, key in COLUMNS.items()}
            people = len({t.subject for t in mine})
            rows.append(
                {"run": arm, "from": source, "to": target}
                | errors
                | {"travelers": people}
            )
    return rows


def worse_than_alone(run: Evaluation) -> str | None:
    """Names the training sites that scans are better not harmonised to; None: none is.

    Errors are of the leading measure, the scan's own detail kept; intervals over
    travelers. p is of each traveler's own difference, by flips of its sign, which holds
    for the few travelers that intervals are too narrow for.

    Example:
        >>> still = (0.0, 0.0, 0.0)
        >>> rows = [TravelerTransfer(who, "test", "KKI", "NYU", .5, .28, .2, still,
        ...                          still, with_detail=.31) for who in ("T1", "T2")]
        >>> worse_than_alone(Evaluation("r", ("KKI",), {}, tuple(rows)))
        "Towards NYU harmonising does worse than leaving alone: 0.31 (0.31 to 0.31) of
        the real scan's variance is missed against 0.28 (0.28 to 0.28), p = 0.50
        (2 travelers cannot decide: p cannot fall below 0.50)."
    """
    told: dict[str, str] = {}
    judged: dict[str, str] = {}
    for target in dict.fromkeys(t.target for t in run.travelers):
        mine = [t for t in run.travelers if t.target == target]
        moved, alone = (by_traveler(mine, key) for key in ("with_detail", "do_nothing"))
        if not moved:
            continue
        found = paired_difference(
            [alone[who] for who in moved], list(moved.values()), generator(0, target)
        )
        if found.difference <= 0:
            continue
        judged[target] = _judged(found.n, found.p)
        missed = "" if told else " of the real scan's variance is missed"
        told[target] = (
            f"{_mean(mine, 'with_detail')}{missed} against "
            f"{_mean(mine, 'do_nothing')}, {p_value(found.p)}"
        )
    if not told:
        return None
    alike = len(set(judged.values())) == 1
    numbers = "; ".join(
        f"{site} " * (len(told) > 1) + text + f" ({judged[site]})" * (not alike)
        for site, text in told.items()
    )
    whole = f" ({next(iter(judged.values()))})" * alike
    return (
        f"Towards {names_of([*told])} harmonising does worse than leaving alone: "
        f"{numbers}{whole}."
    )


def _judged(n: int, p: float) -> str:
    """On how many people it rests, and what they cannot rule out."""
    doubtful = least_p(n) < LEVEL <= p
    return on_travelers(n) + "; chance alone may do that" * doubtful


def _mean(rows: Sequence[TravelerTransfer], measure: str) -> str:
    values = by_traveler(rows, measure)
    if not values:
        return "–"
    rng = generator(0, measure)
    return number(mean_estimate(list(values.values()), list(values), rng))
