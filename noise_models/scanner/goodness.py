"""Does corrupt(A) pass for B, on scans that the fit has not seen?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noise_models.scanner.calibration import (
    NO_CALIBRATION,
    Calibration,
    calibrate,
    corrupted_volumes,
)
from noise_models.scanner.common_grid import (
    Looks,
    Specimen,
    features_of,
    looks,
    spectrum_of,
)
from noise_models.scanner.estimate import ScanEstimate
from noise_models.scanner.features import (
    FEATURES,
)
from noise_models.scanner.marginals import (
    compare_features,
    feature_deciles,
    joined,
    mean_spectra,
)
from noise_models.scanner.record import Goodness
from noise_models.scanner.sites import Site, summarise_site
from noise_models.scanner.two_sample import auc_interval, separation_p, two_sample_auc

FEWEST = 8  # scans a site below which nothing is claimed
PASS_AUC = 0.65
WARN_AUC = 0.80
SURE_P = 0.01
BEYOND_REACH = 0.5  # share of clipped draws from which a part counts as unattainable

RULE = (
    f"Not enough evidence with fewer than {FEWEST} scans a site. No difference where "
    "the real scans of both sites cannot be told apart (permutation p above "
    f"{SURE_P:g}). Else the AUC of corrupted A against B decides, over the features "
    f"that a corruption can reach: pass up to {PASS_AUC:.2f}; warn up to "
    f"{WARN_AUC:.2f}, or where at least half of the excess over 0.5 is gone; fail "
    "above. Where B is cleaner or sharper than A can be made, pass becomes warn."
)
"""`verdict_of` for readers."""

_FINE = ("detail", "power 0.10", "power 0.14", "power 0.18")
_SHOWS = {"noise": ("air", "detail", "power 0.14", "power 0.18"), "psf": _FINE}
"""Which features show a difference in noise, or in sharpness."""

Array = NDArray[np.float64]
Place = Callable[[tuple[Site, ...], frozenset[str]], tuple[Site, ...]]


@dataclass(frozen=True)
class Half:
    """One half of both sites to be judged, and the fit of the other half.

    Attributes:
        sites: A and B as fitted to the other half.
        learn: Scans of A in the other half.
        learn_b: Scans of B in the other half.
        test: Scans of A in this half.
        real: What the scans of B in this half look like.
        real_subjects: Who they are.
        seed: Of the draws.
        trust: Of the calibration (`calibrate`).
        is_calibrated: Whether there is one.

    Example:
        >>> Half.__name__
        'Half'
    """

    sites: tuple[Site, Site]
    learn: tuple[Specimen, ...]
    learn_b: tuple[Specimen, ...]
    test: tuple[Specimen, ...]
    real: Looks
    real_subjects: tuple[str, ...]
    seed: int
    trust: float = 1.0
    is_calibrated: bool = True


@dataclass(frozen=True)
class Tried:
    """What came of one half.

    Attributes:
        looks: What corrupt(A) looks like, for the scans to be judged.
        calibration: By which they were corrupted, learned from the other half.

    Example:
        >>> Tried.__name__
        'Tried'
    """

    looks: Looks
    calibration: Calibration


def halve(
    subjects: Sequence[str], seed: int, shared: frozenset[str] = frozenset()
) -> tuple[list[int], list[int]]:
    """Scans of one random half of the people, and of the other.

    Args:
        subjects: Who was scanned.
        seed: Of the halves.
        shared: People of another site, too: they fall into the same half there.

    Example:
        >>> [len(half) for half in halve(["a", "b", "c", "d"], 0)]
        [2, 2]
    """
    half: dict[str, int] = {}
    present = set(subjects)
    for people in (sorted(present & shared), sorted(present - shared)):
        order = np.random.default_rng(seed).permutation(len(people))
        half |= {people[k]: rank % 2 for rank, k in enumerate(order)}
    first, second = (
        [i for i, s in enumerate(subjects) if half[s] == k] for k in (0, 1)
    )
    return first, second


def halves(
    specimens: Mapping[str, Sequence[Specimen]],
    estimates: Mapping[str, Sequence[ScanEstimate]],
    people: Mapping[str, Sequence[str]],
    pair: tuple[str, str],
    seed: int,
    place: Place | None = None,
    trust: float = 1.0,
    is_calibrated: bool = True,
) -> tuple[Half, Half]:
    """Both ways to learn from one half of A and B and to judge by the other.

    All estimates count for the fit; specimens, of which a large site keeps a part,
    for calibration and judgement. ``place`` moves the fitted sites as the travelers
    say who are not to be judged; ``trust`` is that of the calibration, and
    ``is_calibrated`` says whether there is one.
    """
    found = []
    shared = frozenset(people[pair[0]]) & frozenset(people[pair[1]])
    split = {site: halve(people[site], seed, shared) for site in pair}
    for test in (0, 1):
        parts = {}
        for site in pair:
            learners = {people[site][i] for i in split[site][1 - test]}
            parts[site] = (
                summarise_site(
                    site,
                    [estimates[site][i] for i in split[site][1 - test]],
                    subjects=[people[site][i] for i in split[site][1 - test]],
                    seed=seed,
                ),
                tuple(s for s in specimens[site] if s.subject in learners),
                tuple(s for s in specimens[site] if s.subject not in learners),
            )
        (site_a, learn_a, test_a), (site_b, learn_b, test_b) = (
            parts[label] for label in pair
        )
        if place is not None:
            judged = frozenset(s.subject for s in (*test_a, *test_b))
            site_a, site_b = place((site_a, site_b), judged)
        found.append(
            Half(
                sites=(site_a, site_b),
                learn=learn_a,
                learn_b=learn_b,
                test=test_a,
                real=looks(test_b),
                real_subjects=tuple(s.subject for s in test_b),
                seed=seed,
                trust=trust,
                is_calibrated=is_calibrated,
            )
        )
    return found[0], found[1]


def feature_table(specimens: Sequence[Specimen]) -> Array:
    """Features of several scans, (N, F)."""
    return np.stack([one.features for one in specimens])


def is_tried_calibrated(scans: Sequence[int], *, is_paired: bool) -> bool:
    """Whether the halves of a pair are calibrated, which takes most of the time.

    Not where no verdict can come of it and no traveler waits for it.

    Args:
        scans: Of A and of B, to be judged.
        is_paired: The residuals of travelers are told, too.

    Example:
        >>> is_tried_calibrated((8, 7), is_paired=False)
        False
    """
    return is_paired or min(scans) >= FEWEST


def try_half(half: Half) -> Tried:
    """Calibrate by one half, and corrupt the scans of the other."""
    target = half.sites[1].label
    found = NO_CALIBRATION
    if half.is_calibrated:
        wanted = feature_table(half.learn_b)
        found = calibrate(
            half.learn, wanted, half.sites, target, seed=half.seed, trust=half.trust
        )
    seed = half.seed + len(half.learn)
    volumes = corrupted_volumes(half.test, half.sites, target, found, seed=seed)
    return Tried(look_at(volumes, half.test), found)


def look_at(
    volumes: Iterable[NDArray[np.float32]], specimens: Sequence[Specimen]
) -> Looks:
    """What volumes look like that were made from specimens, one for each."""
    seen = [
        (features_of(volume, one), spectrum_of(volume, one))
        for volume, one in zip(volumes, specimens, strict=True)
    ]
    features, spectra = (np.stack(part) for part in zip(*seen, strict=True))
    return Looks(features, spectra)


def unattainable(clipped_noise: float, clipped_axes: Sequence[float]) -> list[str]:
    """What most draws of B have less of than A, in words: nothing can take it away.

    Example:
        >>> unattainable(0.9, (0.0, 0.0, 0.7))
        ['noise', 'psf z']
    """
    named = {"noise": clipped_noise}
    named |= {f"psf {a}": share for a, share in zip("xyz", clipped_axes, strict=True)}
    return [name for name, share in named.items() if share > BEYOND_REACH]


def attainable_features(beyond: Sequence[str]) -> NDArray[np.bool_]:
    """Which features a degradation could bring to B's, (F,).

    Example:
        >>> bool(attainable_features([]).all())
        True
    """
    shown = tuple(start for name in beyond for start in _SHOWS[name.split()[0]])
    return np.array([not name.startswith(shown or ("-",)) for name in FEATURES])


def judge(
    trials: Sequence[tuple[Looks, Half]],
    parameters: tuple[Array, Array],
    beyond: Sequence[str],
    seed: int,
    unsure: tuple[Array, Array] | None = None,
    people: tuple[Sequence[str], Sequence[str]] | None = None,
) -> Goodness:
    """Compare A, corrupt(A) and B by their features.

    Every classifier is trained and tested within one half, whose scans took no part
    in the fit or the calibration; the AUC is the mean of both halves. The floor
    splits B at random against itself.

    Args:
        trials: For each half what corrupt(A) looks like, and the half.
        parameters: Estimates of the people of A and of B, a row for each, by name,
            (N, K) and (M, K).
        beyond: What is unattainable (`unattainable`).
        seed: Of folds and permutations.
        unsure: What an adjustment leaves unsure (`separation_p`).
        people: The people of A and of B; by default those who are judged.
    """
    before = [(looks(half.test), half) for _, half in trials]
    tables = [joined(found for found, _ in part) for part in (before, trials)]
    tables.append(joined(half.real for _, half in trials))
    unlike, reached, real = (table.features for table in tables)
    auc_before, auc_after = _mean_auc(before, seed), _mean_auc(trials, seed)
    attainable = _mean_auc(trials, seed, attainable_features(beyond))
    p = separation_p(
        *parameters,
        also=(unlike, real),
        rows=_rows_of(trials, people),
        unsure=unsure,
        seed=seed,
    )
    fewest = min(len(unlike), len(real))
    return Goodness(
        auc_before=auc_before,
        auc_after=auc_after,
        auc_floor=_floor(real, seed),
        verdict=verdict_of(auc_before, attainable, p, fewest, is_limited=bool(beyond)),
        scans=(len(unlike), len(real)),
        auc_after_ci95=auc_interval(auc_after, len(reached), len(real)),
        auc_attainable=attainable,
        unattainable=tuple(beyond),
        separation_p=p,
        features=compare_features(reached, real),
        quantiles=feature_deciles((unlike, reached, real)),
        spectra=mean_spectra(tables),
    )


def _rows_of(
    trials: Sequence[tuple[Looks, Half]],
    people: tuple[Sequence[str], Sequence[str]] | None,
) -> tuple[list[int], list[int]]:
    """Where those who are judged stand among the people of A and of B, by name."""
    judged = (
        [s.subject for _, half in trials for s in half.test],
        [who for _, half in trials for who in half.real_subjects],
    )
    ours, theirs = (
        [sorted(set(everyone)).index(who) for who in seen]
        for seen, everyone in zip(judged, people or judged, strict=True)
    )
    return ours, theirs


def verdict_of(
    before: float, after: float, p: float, scans: int, *, is_limited: bool = False
) -> str:
    """The rule.

    ``not enough evidence`` below 8 scans a site. ``no difference`` where A and B
    cannot be told apart to begin with (permutation p of the largest standardised
    difference above 0.01). Else by the AUC of corrupt(A) against B over what a
    degradation can reach: ``pass`` up to 0.65, ``warn`` up to 0.80 or when at least
    half of the excess over chance is gone, ``fail`` above. Where a part of the
    difference is out of reach (B cleaner or sharper), ``pass`` becomes ``warn``.

    Args:
        before: AUC of A against B.
        after: AUC of corrupt(A) against B, attainable features.
        p: Permutation p of the difference.
        scans: Scans of the smaller site.
        is_limited: Something is out of reach.

    Example:
        >>> verdict_of(0.99, 0.62, 0.005, 12), verdict_of(0.55, 0.5, 0.4, 12)
        ('pass', 'no difference')
    """
    if scans < FEWEST or np.isnan(before) or np.isnan(after):
        return "not enough evidence"
    if p > SURE_P:
        return "no difference"
    if after <= PASS_AUC:
        return "warn" if is_limited else "pass"
    is_halved = abs(after - 0.5) <= 0.5 * abs(before - 0.5)
    return "warn" if after <= WARN_AUC or is_halved else "fail"


def _mean_auc(
    trials: Sequence[tuple[Looks, Half]],
    seed: int,
    kept: NDArray[np.bool_] | slice = slice(None),
) -> float:
    scores = [
        two_sample_auc(
            found.features[:, kept],
            half.real.features[:, kept],
            groups=([s.subject for s in half.test], half.real_subjects),
            seed=seed,
        )
        for found, half in trials
    ]
    return float(np.mean(scores))


def _floor(real: Array, seed: int) -> float:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(10):
        order = rng.permutation(len(real))
        half = len(real) // 2
        found.append(two_sample_auc(real[order[:half]], real[order[half:]], seed=seed))
    known = [value for value in found if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
