"""How much of the way from the best generic corruption to the oracle an arm goes.

    share = (best generic - arm) / (best generic - oracle)

for a measure where less is better. People are drawn with replacement and seeds are
weighed at random (`Weighing`), all arms together, and the best generic arm is found
again in every draw: it may profit from chance as much as it does in the data.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from medvae.comparison.scores import MEASURES, Scores
from medvae.evaluation.bootstrap import percentiles
from medvae.evaluation.estimate import FloatArray, ratio_or_nan

SHARES = (
    "leakage_at_equal_biology",
    "held_out_reconstruction",
    "traveler_harmonisation",
)
"""What the share of the gap is the mean of."""
BESIDE = "traveler_decoding"
"""Reported beside them: a held-out site's scan painted as a training site's."""

DRAWS = 1000
SAME = 1e-9  # two arms closer than this differ by rounding alone
LEAST_DEFINED = 0.9  # share of draws that must have a gap, or no interval is given

Runs = Mapping[str, Mapping[int, Sequence[Scores]]]
"""By arm, then by seed: every setting of the arm, the chosen one first."""
Drawn = Mapping[str, Sequence[Mapping[str, FloatArray]]]
"""By arm: every setting, the chosen one first, with each measure's values,
(1 + draws,), those of the data themselves first; see `draw_people`."""


@dataclass(frozen=True)
class Share:
    """A share with its interval over people and seeds.

    Args:
        mean: 1 is the oracle, 0 the best generic arm; None where the oracle is no
            better than that, so that there is no way to go.
        ci95: None where too many draws had no gap.
        undefined: Share of draws in which the oracle was no better.
    """

    mean: float | None
    ci95: tuple[float, float] | None
    undefined: float

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        ci95 = None if self.ci95 is None else list(self.ci95)
        return {"mean": self.mean, "ci95": ci95, "undefined_draws": self.undefined}


@dataclass(frozen=True, eq=False)
class Weighing:
    """Random weights of a few seeds, under which their mean scatters as it should.

    Seeds drawn with replacement give a mean of S values a variance that is (S - 1) / S
    of the right one, and three values have ten means. With weights of 1/S plus Gaussian
    numbers, less their mean, over a chi they scatter about their mean as Student's t
    with S - 1 degrees of freedom times its standard error. The same weights hold for
    all arms, which stay paired.

    Args:
        normal: (S, 1 + draws), zero for the data themselves.
        quantile: (1 + draws,) where each draw's chi lies in its distribution.
    """

    normal: FloatArray
    quantile: FloatArray

    @classmethod
    def draw(cls, seeds: int, draws: int, rng: np.random.Generator) -> Weighing:
        """Weights of ``seeds`` seeds; those of the first column are equal."""
        normal = np.zeros((seeds, 1 + draws))
        normal[:, 1:] = rng.standard_normal((seeds, draws))
        return cls(normal, rng.uniform(size=1 + draws))

    def mean(self, values: FloatArray) -> FloatArray:
        """Weighed means of (S, 1 + draws) over the seeds that have a value.

        Example:
            >>> some = Weighing.draw(3, 20000, np.random.default_rng(0))
            >>> found = some.mean(np.tile([[1.0], [2.0], [6.0]], 20001))
            >>> ends = np.percentile(found[1:], [2.5, 97.5])  # 3 and 4.30 sd / sqrt(3)
            >>> float(found[0]), np.abs(ends - [-3.57, 9.57]).max() < 0.5
            (3.0, np.True_)
        """
        known = np.isfinite(values)
        count = known.sum(axis=0)
        many = np.maximum(count, 2)
        kept = np.where(known, self.normal, 0.0)
        apart = np.where(known, kept - kept.sum(axis=0) / np.maximum(count, 1), 0.0)
        chi = np.sqrt(chi2.ppf(self.quantile, many - 1) / (many - 1))
        weight = known / np.maximum(count, 1) + apart / chi / np.sqrt(many * (many - 1))
        mean = np.sum(np.where(known, values, 0.0) * weight, axis=0)
        found: FloatArray = np.where(count > 0, mean, np.nan)
        return found


def draw_people(
    runs: Runs, rng: np.random.Generator, draws: int = DRAWS
) -> dict[str, list[dict[str, FloatArray]]]:
    """Every measure of every setting under the same draws of people and seeds.

    Returns:
        By arm, a list over settings of measure to (1 + draws,); the first entry of
        each is the data themselves, averaged over seeds.
    """
    everyone = {
        who
        for seeds in runs.values()
        for settings in seeds.values()
        for scores in settings
        for who in scores.subjects()
    }
    names = sorted(everyone)
    share = np.full(len(names), 1 / len(names))
    weights = rng.multinomial(len(names), share, size=draws).astype(np.float64)
    weights = np.concatenate([np.ones((1, len(names))), weights])
    seeds = sorted({seed for arm in runs.values() for seed in arm})
    weighing = Weighing.draw(len(seeds), draws, rng)
    found = {}
    for arm, by_seed in runs.items():
        count = min(len(settings) for settings in by_seed.values())
        found[arm] = [
            {
                measure: weighing.mean(
                    np.array(
                        [
                            by_seed[seed][setting].draws(measure, weights, names)
                            if seed in by_seed
                            else np.full(1 + draws, np.nan)
                            for seed in seeds
                        ]
                    )
                )
                for measure in MEASURES
            }
            for setting in range(count)
        ]
    return found


def at_equal_age(
    settings: Sequence[Mapping[str, FloatArray]], level: FloatArray
) -> FloatArray:
    """Least leakage of an arm's settings that keep age as well as ``level``.

    Between two settings leakage and age error are taken as linear. An arm that never
    keeps age that well counts at the setting that keeps it best.

    Example:
        >>> one = {"leakage": np.array([0.9]), "age_error": np.array([0.6])}
        >>> two = {"leakage": np.array([0.7]), "age_error": np.array([0.8])}
        >>> at_equal_age([one, two], np.array([0.7])).round(3).tolist()
        [0.8]
    """
    leak = np.array([s["leakage"] for s in settings])
    age = np.array([s["age_error"] for s in settings])
    keeps = age <= level
    best = np.min(np.where(keeps, leak, np.inf), axis=0)
    for i, j in itertools.permutations(range(len(settings)), 2):
        between = (age[i] <= level) & (age[j] > level)
        way = np.where(between, age[j] - age[i], 1.0)
        mixed = leak[i] + (level - age[i]) / way * (leak[j] - leak[i])
        best = np.where(between, np.fmin(best, mixed), best)
    keenest = np.take_along_axis(
        leak, np.argmin(np.where(np.isnan(age), np.inf, age), axis=0)[None], axis=0
    )[0]
    result: FloatArray = np.where(np.isfinite(best), best, keenest)
    return result


def gap_closed(
    drawn: Drawn,
    arm: str,
    generic: Sequence[str],
    oracle: str,
) -> tuple[Share, dict[str, Share]]:
    """The average share of an arm over ``SHARES``, and each share, ``BESIDE`` too.

    Equal biology: of age as well kept as the arm and the oracle both keep it.

    Args:
        drawn: What `draw_people` found; of an arm whose codes can be read in several
            ways every reading is a setting.
        arm: Whose share.
        generic: Arms to start from.
        oracle: The arm to reach.
    """
    level = np.fmax(
        *(
            np.min([s["age_error"] for s in drawn[name]], axis=0)
            for name in (arm, oracle)
        )
    )
    least = {name: at_equal_age(drawn[name], level) for name in (*generic, arm, oracle)}
    able = [
        np.where(
            np.min([s["age_error"] for s in drawn[name]], axis=0) <= level,
            least[name],
            np.nan,
        )
        for name in generic
    ]
    start = _least(able, [least[name] for name in generic])
    ratios = {
        "leakage_at_equal_biology": _part_of_way(start, least[arm], least[oracle])
    }
    for measure in (*SHARES[1:], BESIDE):
        values = {name: drawn[name][0][measure] for name in least}
        start = np.min([values[name] for name in generic], axis=0)
        ratios[measure] = _part_of_way(start, values[arm], values[oracle])
    each = {name: _share(ratio) for name, ratio in ratios.items()}
    return _share(np.mean([ratios[name] for name in SHARES], axis=0)), each


def _least(able: Sequence[FloatArray], rest: Sequence[FloatArray]) -> FloatArray:
    """Least of the arms that keep age; of all of them where none does."""
    stack = np.array(able)
    some = np.isfinite(stack).any(axis=0)
    found: FloatArray = np.where(
        some,
        np.min(np.where(np.isfinite(stack), stack, np.inf), axis=0),
        np.min(rest, axis=0),
    )
    return found


def _part_of_way(start: FloatArray, arm: FloatArray, oracle: FloatArray) -> FloatArray:
    """Share of the way from ``start`` to the oracle; NaN where there is none."""
    return ratio_or_nan(start - arm, start - oracle, above=SAME)


def _share(ratio: FloatArray) -> Share:
    value, draws = ratio[0], ratio[1:]
    missing = float(np.mean(~np.isfinite(draws))) if len(draws) else 1.0
    certain = missing <= 1 - LEAST_DEFINED
    return Share(
        float(value) if np.isfinite(value) else None,
        percentiles(draws) if certain else None,
        round(missing, 4),
    )


def share_of_way(start: FloatArray, arm: FloatArray, oracle: FloatArray) -> Share:
    """How far an arm goes from ``start`` to the oracle, less being better.

    Args:
        start: (1 + draws,), the data themselves first, as of ``Drawn``.
        arm: The same.
        oracle: The same.

    Example:
        >>> share_of_way(*(np.array([x, x, x]) for x in (1.0, 0.6, 0.5))).mean
        0.8
    """
    return _share(_part_of_way(start, arm, oracle))


def with_interval(values: FloatArray) -> dict[str, object]:
    """A number for JSON, from (1 + draws,), the data themselves first."""
    ci95 = percentiles(values[1:])
    return {"mean": float(values[0]), "ci95": None if ci95 is None else list(ci95)}


def differences(
    drawn: Drawn, challenger: str
) -> dict[str, dict[str, dict[str, object]]]:
    """Challenger minus every other arm, for every measure, with its interval."""
    table: dict[str, dict[str, dict[str, object]]] = {}
    for arm, settings in drawn.items():
        if arm == challenger:
            continue
        for measure, better in MEASURES.items():
            change = drawn[challenger][0][measure] - settings[0][measure]
            if not np.isfinite(change[0]):
                continue
            number = with_interval(change)
            table.setdefault(arm, {})[measure] = {**number, "better": better}
    return table
