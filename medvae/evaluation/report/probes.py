"""Sentences on probes of the site: the RBF probe, and whichever reads it best.

Leakage is what its strongest probe reads. Each p is that probe's own; a site is called
readable where the least of them holds out against the number of probes (Bonferroni),
and perhaps readable where it would have held out alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medvae.counted import counted
from medvae.evaluation.estimate import Estimate
from medvae.evaluation.report.numbers import LEVEL, number
from medvae.evaluation.result import Evaluation, names_of
from medvae.report.p_values import p_value

PROBES = {
    "rbf": "the RBF probe",
    "linear": "the linear probe",
    "knn": "nearest neighbours",
}
VIEWS = {
    "mean": "from the codes (posterior means)",
    "sample": "from posterior samples",
    "whitened": "from whitened codes",
}
FEW = 10
"""Below so many test subjects, a site that was not read says nothing."""


def leak(run: Evaluation) -> str | None:
    """Whether the site could be read from codes, by which probe, in how many people."""
    every = {view: probes_of(run, "leakage", view) for view in VIEWS}
    probed = {view: strongest(aucs) for view, aucs in every.items()}
    if not probed["mean"] or not probed["sample"]:
        return None
    if _highest(probed["whitened"]) <= max(map(_highest, list(probed.values())[:2])):
        del probed["whitened"]
    told = _probes(probed)
    n = min(auc.n for auc in probed["mean"].values())
    people = counted(n, "test subject")
    tried = [auc for aucs in every.values() for auc in aucs.values()]
    if _found(tried):
        return f"The site can be read: {told} ({people})."
    if any(_found([auc]) for auc in tried):
        return (
            f"Perhaps the site can be read: {told} ({people}). Of {len(tried)} probes "
            f"one has a p below {LEVEL:g} by chance more often than that."
        )
    if n < FEW:
        return f"With {people} leakage cannot be judged, {FEW} are the least: {told}."
    return f"No site could be read: {told} ({people})."


def stranger(run: Evaluation) -> str | None:
    """Where codes of the held-out site lie apart, and by which probe that is seen."""
    every = probes_of(run, "held_out_distance", "sample")
    if not _found(list(every.values())):
        return None
    probed = strongest(every)
    n = next(auc.n for auc in probed.values())
    return (
        f"Codes of {names_of(run.held_out)} can be told from those of the training "
        f"sites: {_probes({'sample': probed})} ({counted(n, 'subject')}). "
        f"Other people were scanned there, so not all of it need be the scanner."
    )


def probes_of(run: Evaluation, group: str, view: str) -> dict[str, Estimate]:
    """AUCs of a view by the probe that reads it."""
    return {
        words: auc
        for kind, words in PROBES.items()
        if (auc := run.get(group, f"auc_{kind}_{view}"))
    }


def strongest(aucs: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Of the AUCs of a view, that of the RBF probe, then the highest if not that.

    Example:
        >>> aucs = {probe: Estimate(auc, None, 8)
        ...         for probe, auc in zip(PROBES.values(), (.76, .85, .97))}
        >>> [(probe, auc.value) for probe, auc in strongest(aucs).items()]
        [('the RBF probe', 0.76), ('nearest neighbours', 0.97)]
    """
    best = max(aucs, key=lambda words: aucs[words].value, default="")
    return {k: auc for k, auc in aucs.items() if k in (PROBES["rbf"], best)}


def _probes(by_view: Mapping[str, Mapping[str, Estimate]]) -> str:
    """AUCs in words, each with the probe that has it, and its own p."""
    told = [
        f"{VIEWS[view]} "
        + " and ".join(
            f"{number(auc)} by {probe}"
            + (f" ({p_value(auc.p)})" if auc.p is not None else "")
            for probe, auc in aucs.items()
        )
        for view, aucs in by_view.items()
    ]
    return f"AUC {'; '.join(told)}; chance 0.50"


def _highest(aucs: Mapping[str, Estimate]) -> float:
    return max((auc.value for auc in aucs.values()), default=0.0)


def _found(aucs: Sequence[Estimate]) -> bool:
    """Whether the least p is too small for the best of so many probes."""
    told = [auc.p for auc in aucs if auc.p is not None]
    return bool(told) and min(told) * len(told) < LEVEL
