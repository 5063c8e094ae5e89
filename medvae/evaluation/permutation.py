"""What could have been if labels meant nothing: labels, or features, that people trade.

Whoever was measured together stays together: two scans of a person are no two people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from medvae.evaluation.estimate import FloatArray, IntArray


def permute_labels(
    y: IntArray,
    subjects: Sequence[str],
    rng: np.random.Generator,
    within: IntArray | None = None,
) -> IntArray:
    """Labels that could have been, if they meant nothing; see `traded_rows`.

    Example:
        >>> y = np.array([0, 1, 0, 0, 1])
        >>> permute_labels(y, list("ttabc"), np.random.default_rng(0))[:2].sum()
        np.int64(1)
    """
    return y[traded_rows(y, subjects, rng, within)]


def traded_rows(
    y: IntArray,
    subjects: Sequence[str],
    rng: np.random.Generator,
    within: IntArray | None = None,
) -> IntArray:
    """The scan in whose place each scan could have been, if labels meant nothing.

    A traveler's scans are shuffled among themselves; subjects seen at one site only
    trade as whole persons, so repeated scans stay together.

    Args:
        y: (n,) labels.
        subjects: Who each scan shows.
        rng: Decides the trades.
        within: (n,) Groups of scans, none of which splits a subject; people trade
            inside them only.

    Returns:
        (n,) Numbers of scans; who has more of them than the other gets some twice.
    """
    result = np.arange(len(y))
    _, whose = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    settled: dict[int, list[IntArray]] = {}
    for person in range(whose.max() + 1):
        mine = np.flatnonzero(whose == person)
        if len(set(y[mine])) > 1:
            result[mine] = rng.permutation(mine)
        else:
            group = 0 if within is None else int(within[mine[0]])
            settled.setdefault(group, []).append(mine)
    for people in settled.values():
        order = rng.permutation(len(people))
        for mine, other in zip(people, order, strict=True):
            result[mine] = np.resize(people[other], len(mine))
    return result


def without_labels(
    z: FloatArray,
    y: IntArray,
    subjects: Sequence[str],
    table: FloatArray,
    rng: np.random.Generator,
    times: int,
) -> Iterator[FloatArray]:
    """Features that could have been, if covariates meant what they do, labels nothing.

    Covariates keep their scans, as the labels do: what is left of a fit by covariates
    alone is traded between people (Freedman & Lane 1983,
    doi:10.1080/07350015.1983.10509354). Labels permuted instead would part from the
    covariates, and a slope's own error, which tells those, would pass for the site's.

    Args:
        z: (draws, n, d).
        y: (n,) labels.
        subjects: Who each scan shows.
        table: (n, c) covariates.
        rng: Decides the trades.
        times: How many.
    """
    design = np.column_stack([np.ones(len(table)), table])
    hat = design @ np.linalg.pinv(design)
    told = hat @ z
    rest = z - told
    for _ in range(times):
        yield told + rest[:, traded_rows(y, subjects, rng)]
