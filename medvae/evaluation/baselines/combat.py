"""ComBat: location and scale of every feature per site, shrunk by empirical Bayes.

Johnson, Li & Rabinovic 2007 (doi:10.1093/biostatistics/kxj037), parametric priors, no
covariates preserved unless given. It needs the site of every scan, also of those it is
applied to, and has nothing to say about a site it was not fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from medvae.evaluation.estimate import FloatArray

CLOSE = 1e-8
STEPS = 500

FEWEST = 2  # scans of a site


@dataclass(frozen=True, eq=False)
class ComBat:
    """What was fitted.

    Args:
        sites: Their labels.
        shift: (sites, d) posterior location of each site, in pooled deviations.
        spread: (sites, d) posterior variance of each site over the pooled one.
        centre: (d,) mean of the features, sites weighed by their scans.
        scale: (d,) pooled standard deviation; 0 where a feature is constant.
        slope: (c, d) effect of the covariates, which is kept.
    """

    sites: tuple[str, ...]
    shift: FloatArray
    spread: FloatArray
    centre: FloatArray
    scale: FloatArray
    slope: FloatArray

    def apply(
        self,
        features: ArrayLike,
        sites: Sequence[str | None],
        covariates: ArrayLike | None = None,
    ) -> FloatArray:
        """Features (n, d) without their site's location and scale.

        Rows of sites that were not fitted come back as they are.
        """
        x = np.asarray(features, dtype=np.float64)
        expected = self.centre + _table(covariates, len(x)) @ self.slope
        result = x.copy()
        live = self.scale > 0
        for number, site in enumerate(self.sites):
            here = np.array([label == site for label in sites])
            scaled = (x[here] - expected[here])[:, live] / self.scale[live]
            shrunk = (scaled - self.shift[number, live]) / np.sqrt(
                self.spread[number, live]
            )
            result[np.ix_(here, live)] = (
                shrunk * self.scale[live] + expected[here][:, live]
            )
        return result

    def apply_spread(
        self, deviations: ArrayLike, sites: Sequence[str | None]
    ) -> FloatArray:
        """Standard deviations (n, d) of features, on the scale that `apply` gives them.

        A code's posterior is stretched by its scanner as its mean is. Left as it was,
        it would tell the site of a sample whose mean no longer does.
        """
        result = np.array(deviations, dtype=np.float64)
        live = self.scale > 0
        for number, site in enumerate(self.sites):
            here = np.array([label == site for label in sites])
            result[np.ix_(here, live)] /= np.sqrt(self.spread[number, live])
        return result


def fit_combat(
    features: ArrayLike, sites: Sequence[str], covariates: ArrayLike | None = None
) -> ComBat:
    """Fit on features whose site is known.

    Args:
        features: (n, d).
        sites: (n,) labels, at least two scans of each.
        covariates: (n, c) whose effect is kept.

    Raises:
        ValueError: A site has fewer than two scans.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> z = rng.normal(size=(80, 5)); z[40:] = 3 * z[40:] + 2
        >>> site = ["A"] * 40 + ["B"] * 40
        >>> left = fit_combat(z, site).apply(z, site)
        >>> bool(abs(left[:40].mean() - left[40:].mean()) < 0.1)
        True
    """
    x = np.asarray(features, dtype=np.float64)
    names, of_site = np.unique(np.asarray(sites, dtype=str), return_inverse=True)
    count = np.bincount(of_site)
    if count.min() < FEWEST:
        few = names[int(count.argmin())]
        raise ValueError(f"ComBat needs two scans a site, {few} has {count.min()}")
    table = _table(covariates, len(x))
    design = np.column_stack([of_site[:, None] == np.arange(len(names)), table])
    solved = np.linalg.lstsq(design.astype(np.float64), x, rcond=None)[0]
    weight: FloatArray = np.asarray(solved, dtype=np.float64)
    centre = count @ weight[: len(names)] / len(x)
    slope = weight[len(names) :]
    left = x - design @ weight
    scale: FloatArray = np.sqrt((left**2).sum(axis=0) / len(left))
    scale[scale < 1e-12 * max(float(np.abs(x).max()), 1e-300)] = 0
    live = scale > 0
    scaled = (x - centre - table @ slope)[:, live] / scale[live]
    shift, spread = np.zeros((2, len(names), x.shape[1]))
    spread += 1
    for number in range(len(names)):
        shift[number, live], spread[number, live] = _shrunk(scaled[of_site == number])
    return ComBat(tuple(map(str, names)), shift, spread, centre, scale, slope)


def _shrunk(scaled: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Posterior location and variance of one site's features, (d,) each."""
    n = len(scaled)
    mean, variance = scaled.mean(axis=0), scaled.var(axis=0, ddof=1)
    if scaled.shape[1] < 2:  # one feature has nobody to borrow from
        return mean, variance
    prior, tau2 = mean.mean(), mean.var(ddof=1)
    m, s2 = variance.mean(), variance.var(ddof=1)
    a, b = (2 * s2 + m**2) / s2, (m * s2 + m**3) / s2
    shift, spread = mean, variance
    for _ in range(STEPS):
        new = (tau2 * n * mean + spread * prior) / (tau2 * n + spread)
        rest = np.sum((scaled - new) ** 2, axis=0)
        wide = (0.5 * rest + b) / (n / 2 + a - 1)
        moved = max(np.abs(new - shift).max(), np.abs(wide / spread - 1).max())
        shift, spread = new, wide
        if moved < CLOSE:
            break
    return shift, spread


def _table(covariates: ArrayLike | None, n: int) -> FloatArray:
    if covariates is None:
        return np.zeros((n, 0))
    return np.asarray(covariates, dtype=np.float64).reshape(n, -1)
