"""Correcting a transfer by what it does: corrupt(A) is measured and compared with B.

The parameters of a site are estimates, and estimators err: a little differently on a
noisy scan than on a clean one. What is off in the same way at both sites cancels in
the transfer; the rest shows when corrupted scans of A are looked at as those of B
are. The offset found here takes it out (indirect inference, Gourieroux, Monfort &
Renault 1993, doi:10.1002/jae.3950080507): the target's parameters are moved until the
features of corrupt(A) meet those of B, but no further than estimators may err.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from noise_models.cosine import cosine_terms
from noise_models.scanner.common_grid import GRID_MM, Specimen, features_of
from noise_models.scanner.estimate import BIAS_NAMES, NAMES, PSF_NAMES
from noise_models.scanner.features import SHADING_ORDER
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.record import Record, pair_key
from noise_models.scanner.representatives import representatives
from noise_models.scanner.sites import Site
from noise_models.scanner.transfer import Pair
from noise_models.scanner.whitening import whitening

FEWEST_CALIBRATED = 4  # scans a site below which nothing is calibrated
MOST_CALIBRATED = 12  # scans of A that are corrupted, again and again
ROUNDS = 5
DAMPING = 3.0  # by which a step that made things worse is held back
ENOUGH = 0.3  # of the cost: a step that gains less is the last
FARTHEST = 3.0  # SDs of its estimator that a parameter is moved at most
PROBES = 1  # scans that slopes are first measured on; every step corrects them
LEAST_FALL = 0.2  # of a feature's variance, where it tells about the share


@dataclass(frozen=True)
class Knob:
    """A parameter of B that the search turns.

    Attributes:
        name: One of `estimate.NAMES`, or a field of `Calibration`.
        error_sd: How far its estimator may err, one SD (docs/fit.md).
        step: By which the slope is taken.
        is_noise: Of the noise, which is read without travelers: the ``trust`` of
            `calibrate` leaves its error as it is.

    Example:
        >>> KNOBS[0].name, KNOBS[-1].name
        ('log_sigma', 'grain')
    """

    name: str
    error_sd: float
    step: float
    is_noise: bool = False


_SMOOTH = len(cosine_terms(3, SHADING_ORDER))  # the first terms are the smoothest
KNOBS = (
    Knob("log_sigma", 0.05, 0.1, is_noise=True),  # a few per cent
    *(Knob(name, 0.3, 0.2) for name in PSF_NAMES),  # mm^2; filters: see apodisation
    Knob("logit_csf_over_gm", 0.03, 0.15),  # a few per cent
    Knob("logit_gm_over_wm", 0.03, 0.1),  # a few per cent
    Knob("log_upper_excess", 0.3, 0.2),  # fat: what else is in the scalp, its shading
    *(Knob(name, 0.015, 0.02) for name in BIAS_NAMES[:_SMOOTH]),  # a per cent or two
    Knob("apodisation", 4.0, 0.5),  # raw-data filters: the edge of k-space tells little
    Knob("grain", 0.03, 0.05, is_noise=True),  # colour, and what else is in the air
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """What is changed in the draws of B so that corrupt(A) looks like B.

    Attributes:
        offset: Added to the mean of B, (K,).
        inherited: Share of a scan's deviation from its own site that it takes along,
            0 to 1: sharpness, contrast and shading are read through anatomy, and the
            same head errs in the same way at B.
        apodisation: How much faster than a Gaussian the transfer falls towards the
            edge of B's k-space (`spectrum.spectra`).
        grain: How much further B's noise spreads about its mean (`transfer.Pair`).

    Example:
        >>> NO_CALIBRATION.inherited
        0.0
    """

    offset: Array
    inherited: float = 0.0
    apodisation: float = 0.0
    grain: float = 0.0

    @property
    def knobs(self) -> Array:
        """Where each of `KNOBS` stands, (knobs,)."""
        stands = dict(zip(NAMES, self.offset, strict=True))
        stands |= {"apodisation": self.apodisation, "grain": self.grain}
        return np.array([stands[knob.name] for knob in KNOBS])

    @property
    def settings(self) -> dict[str, Any]:
        """As `transfer.Pair` keeps it."""
        return {
            "offset": tuple(self.offset.tolist()),
            "inherited": self.inherited,
            "apodisation": self.apodisation,
            "grain": self.grain,
        }

    def turned(self, by: Array) -> Calibration:
        """With each of `KNOBS` moved, (knobs,)."""
        moves = {k.name: move for k, move in zip(KNOBS, by.tolist(), strict=True)}
        return replace(
            self,
            offset=self.offset + [moves.get(name, 0.0) for name in NAMES],
            apodisation=self.apodisation + moves["apodisation"],
            grain=self.grain + moves["grain"],
        )


NO_CALIBRATION = Calibration(np.zeros(len(NAMES)))


def calibrate(
    specimens: Sequence[Specimen],
    wanted: Array,
    sites: tuple[Site, ...],
    target: str,
    *,
    seed: int = 0,
    trust: float = 1.0,
) -> Calibration:
    """How the draws of ``target`` are changed for scans like ``specimens``.

    First the spread: the share that scans inherit is the one at which the features of
    corrupt(A) vary as those of B do. Then the mean, by a damped Gauss-Newton search
    in units of the spread within sites; each parameter is held back by the error that
    its estimator may have, so with few scans, or a difference that no degradation can
    make, it stays near 0. That also keeps the search where slopes hold. And no feature
    asks for more than the errors of all estimators could explain (`within_reach`), by
    slopes that the search corrects as it goes.

    Of many scans a dozen is corrupted whose mean stands for that of all: the first
    few, who differ from the others by chance, can move a transfer away from its
    target (docs/fit.md).

    Args:
        specimens: Scans of A on the common grid.
        wanted: Features of real scans of B, (N, F).
        sites: The fitted sites, A and B among them.
        target: Label of B.
        seed: Of the draws, which stay the same in every round.
        trust: How much of the usual error sharpness, contrast and shading may have:
            less than 1 where travelers have measured the difference.

    Returns:
        The share, and the best offset found; zeros where none was better.
    """
    weight = 1 / (1 / len(specimens) + 1 / len(wanted))
    seen = np.stack([one.features for one in specimens])
    specimens = [specimens[i] for i in representatives(seen, MOST_CALIBRATED)]
    start = Calibration(
        np.zeros(len(NAMES)), _inherited(specimens, wanted, sites, target, seed)
    )
    limits = np.array([k.error_sd * (1 if k.is_noise else trust) for k in KNOBS])
    found = corrupted_features(specimens, sites, target, start, seed=seed)
    apart = [found - found.mean(0), wanted - wanted.mean(0)]
    to_ball = whitening(np.concatenate(apart))  # spreads differ little between rounds

    probes = specimens[:PROBES]
    slopes = _slopes(probes, found[:PROBES], sites, target, start, seed)

    def cost(missed: Array, knobs: Array) -> float:
        return float(weight * missed @ missed + np.sum((knobs / limits) ** 2))

    begun, bounds, damping = found.mean(0), FARTHEST * limits, 0.0
    best, mean = start, begun
    for _ in range(ROUNDS):
        meant = begun + within_reach(wanted.mean(0) - begun, slopes * bounds)
        gap, pull = to_ball @ (meant - mean), to_ball @ slopes
        lhs = weight * pull.T @ pull + np.diag((1 + damping) / limits**2)
        step = np.linalg.solve(lhs, weight * pull.T @ gap - best.knobs / limits**2)
        step = np.clip(best.knobs + step, -bounds, bounds) - best.knobs
        now = best.turned(step)
        after = corrupted_features(specimens, sites, target, now, seed=seed).mean(0)
        slopes = _learned(slopes, step / limits, after - mean, limits)
        gain = cost(gap, best.knobs) - cost(to_ball @ (meant - after), now.knobs)
        if gain > 0:
            best, mean, damping = now, after, damping / DAMPING
        else:  # too far: the same way again, in smaller steps
            damping = DAMPING * max(damping, 1.0)
        if 0 < gain < ENOUGH:
            break
    return best


def within_reach(gap: Array, most: Array) -> Array:
    """What is asked of each feature: no more than errors of the knobs could explain.

    A scan that is blurred already cannot be made sharper; without a bound its spectrum,
    twenty SDs away, would have contrast and shading bent until they raise it a little.

    Independent errors of the knobs make an error of each feature whose SD is the root
    of the sum of squares; as far as each knob may go alone, so many SDs are asked.

    Args:
        gap: From the mean features of corrupted scans to those of B, (F,).
        most: How far each knob alone moves them at most, (F, knobs).

    Example:
        >>> within_reach(np.array([5.0, -1.0]), np.array([[3.0, 4.0], [0.6, 0.0]]))
        array([ 5. , -0.6])
    """
    reach = np.sqrt((most**2).sum(1))
    return np.clip(gap, -reach, reach)


def _learned(slopes: Array, step: Array, change: Array, limits: Array) -> Array:
    """Slopes that explain what a step did (Broyden 1965, doi:10.2307/2003941)."""
    length = float(step @ step)
    if not length > 0:
        return slopes
    surprise = change - slopes @ (step * limits)
    return np.asarray(slopes + np.outer(surprise, step / limits) / length)


def _inherited(
    specimens: Sequence[Specimen],
    wanted: Array,
    sites: tuple[Site, ...],
    target: str,
    seed: int,
) -> float:
    """Share at which features spread as B's do; their variance falls linearly in it."""
    spreads = [
        corrupted_features(
            specimens, sites, target, Calibration(NO_CALIBRATION.offset, end), seed=seed
        ).var(0, ddof=1)
        for end in (0.0, 1.0)
    ]
    fall = spreads[0] - spreads[1]
    tells = fall > LEAST_FALL * spreads[0]
    if not tells.any():
        return 0.0
    shares = (spreads[0] - wanted.var(0, ddof=1))[tells] / fall[tells]
    return float(np.clip(np.median(shares), 0, 1))


def corrupted_features(
    specimens: Sequence[Specimen],
    sites: tuple[Site, ...],
    target: str,
    calibration: Calibration,
    *,
    seed: int = 0,
) -> Array:
    """Features (N, F) of scans sent to ``target``, calibrated.

    Scan ``i`` always draws with seed ``seed + i``.
    """
    volumes = corrupted_volumes(specimens, sites, target, calibration, seed=seed)
    pairs = zip(volumes, specimens, strict=True)
    return np.stack([features_of(volume, one) for volume, one in pairs])


def corrupted_volumes(
    specimens: Sequence[Specimen],
    sites: tuple[Site, ...],
    target: str,
    calibration: Calibration,
    *,
    seed: int = 0,
) -> Iterator[NDArray[np.float32]]:
    """The scans themselves, one after the other, as `corrupted_features` sees them."""
    added = Pair(**calibration.settings)
    pairs = {pair_key(site.label, target): added for site in sites}
    noise = ScannerNoise(sites, target=target, record=Record(pairs=pairs))
    for i, one in enumerate(specimens):
        y = noise(
            torch.tensor(one.volume)[None, None],
            rng=torch.Generator().manual_seed(seed + i),
            spacing_mm=GRID_MM,
            source=[one.origin],
        )
        yield y[0, 0].numpy()


def _slopes(
    probes: Sequence[Specimen],
    start: Array,
    sites: tuple[Site, ...],
    target: str,
    now: Calibration,
    seed: int,
) -> Array:
    """What each knob does to the mean features, (F, knobs), by finite differences."""
    columns = []
    for alone, knob in zip(np.eye(len(KNOBS)), KNOBS, strict=True):
        moved = now.turned(alone * knob.step)
        found = corrupted_features(probes, sites, target, moved, seed=seed)
        columns.append((found - start).mean(0) / knob.step)
    return np.stack(columns, 1)
