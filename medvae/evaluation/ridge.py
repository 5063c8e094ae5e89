"""Ridge regression of many targets, its penalty chosen by leaving out people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from medvae.evaluation.estimate import FloatArray, IntArray

ALPHAS = tuple(10.0**k for k in np.arange(-3, 6.5, 0.5))


def ridge(
    train: ArrayLike,
    targets: ArrayLike,
    new: ArrayLike,
    subjects: Sequence[str] | None = None,
) -> FloatArray:
    """Predictions for ``new``, each target with a penalty of its own.

    Of all penalties the one with the least squared error on people that were left out:
    by scan, the twin of the scan left out would stay, and the penalty collapse. Exact
    and without refits: with H the matrix that makes fitted values of targets, a group g
    left out errs by (I - H_gg)^-1 times its residuals. The mean is not penalised, and
    features keep their relative scale: one with no variance should not be blown up to
    the size of one that carries the anatomy.

    Args:
        train: (n, d) features.
        targets: (n,) or (n, t).
        new: (m, d) features.
        subjects: (n,) whom each row of ``train`` shows; by default all are others.

    Returns:
        (m,) or (m, t).

    Example:
        >>> x = np.arange(20.0)[:, None]
        >>> ridge(x, np.hstack([x, -x]), [[5.0]]).round(1).tolist()
        [[5.0, -5.0]]
    """
    x, y, z = (np.asarray(v, dtype=np.float64) for v in (train, targets, new))
    centre, mean = x.mean(axis=0), y.mean(axis=0)
    a, left = x - centre, (y - mean).reshape(len(y), -1)
    scale = len(x) / max(float(np.sum(a**2)), 1e-300) if np.any(a) else 0.0
    values, vectors = np.linalg.eigh(len(x) * scale * a @ a.T)
    values, turned = np.maximum(values, 0.0), vectors.T @ left
    groups = _groups(subjects, len(x))
    errors, weights = [], []
    for alpha in ALPHAS:
        gain = values / (values + alpha)
        hat = (vectors * gain) @ vectors.T + 1 / len(x)
        rest = left - vectors @ (gain[:, None] * turned)
        errors.append(_left_out(rest, hat, groups))
        weights.append(turned / (values + alpha)[:, None])
    best = np.argmin(errors, axis=0)
    chosen = np.take_along_axis(np.array(weights), best[None, None], axis=0)[0]
    cross = len(x) * scale * (z - centre) @ a.T
    found: FloatArray = mean + (cross @ vectors @ chosen).reshape(len(z), *y.shape[1:])
    return found


def _groups(subjects: Sequence[str] | None, n: int) -> list[IntArray]:
    """Rows of every person that has several; none where all are others."""
    if subjects is None:
        return []
    _, whose = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    if len(whose) != n:
        raise ValueError(f"one subject a row needed, got {len(whose)} for {n} rows")
    rows = [np.flatnonzero(whose == k) for k in range(whose.max() + 1)]
    return [own for own in rows if len(own) > 1]


def _left_out(
    rest: FloatArray, hat: FloatArray, groups: Sequence[IntArray]
) -> FloatArray:
    """Mean squared error of rows left out by person, for each target."""
    error = rest / np.maximum(1 - np.diag(hat), 1e-12)[:, None]
    for own in groups:
        inside = np.eye(len(own)) - hat[np.ix_(own, own)]
        error[own] = np.linalg.lstsq(inside, rest[own], rcond=None)[0]
    found: FloatArray = np.mean(error**2, axis=0)
    return found
