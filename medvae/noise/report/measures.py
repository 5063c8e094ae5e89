"""The parameters of a site that are drawn: what they are called, how they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noise_models.scanner.contrasts import (
    Interval,
    noise_percent,
    shading_rms,
    signed_fwhm,
    tissue_ratio,
)
from noise_models.scanner.estimate import BIAS_NAMES, NAMES, PSF_NAMES
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.sites import Site
from noise_models.scanner.words import UNITS

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """One parameter, in the unit that people use.

    Args:
        caption: What it is.
        axis: What the axis says.
        of_site: Mean and interval of a site.
        of_scan: Value of one scan from its parameters (K,); nan where unknown.
    """

    caption: str
    axis: str
    of_site: Callable[[Site], Interval]
    of_scan: Callable[[Vector], float]


def measures(noise: ScannerNoise) -> list[Measure]:
    """Noise, sharpness of each axis, contrast and shading.

    Sharpness is relative to the sharpest site of its axis: what all sites share is
    not knowable from the scans. So it is a difference, and a scan or the end of an
    interval may lie below 0: cut off there, an interval would leave out its truth.
    """
    log_sigma = NAMES.index("log_sigma")
    bias = [NAMES.index(name) for name in BIAS_NAMES]
    return [
        Measure(
            "Noise",
            UNITS["noise"],
            noise_percent,
            lambda v: float(100 * np.exp(v[log_sigma])),
        ),
        *(_sharpness(noise, name) for name in PSF_NAMES),
        _contrast("logit_gm_over_wm", "Grey/white contrast"),
        _contrast("logit_csf_over_gm", "CSF/grey contrast"),
        Measure(
            "Shading",
            UNITS["shading"],
            _shading_percent,
            lambda v: float(100 * np.linalg.norm(v[bias])),
        ),
    ]


def _shading_percent(site: Site) -> Interval:
    found = shading_rms(site)
    return Interval(*(100 * v for v in (found.value, found.low, found.high)))


def _sharpness(noise: ScannerNoise, name: str) -> Measure:
    index, axis = NAMES.index(name), name.split("_")[1]
    sharpest = min(site.mean[index] for site in noise.sites)

    def of_site(site: Site) -> Interval:
        low, high = site.ci95[index]
        return Interval(
            *(signed_fwhm(v - sharpest) for v in (site.mean[index], low, high))
        )

    return Measure(
        f"Blur along {axis}, over the sharpest site",
        f"{UNITS['blur']}\n(below 0: sharper than its mean)",
        of_site,
        lambda v: signed_fwhm(float(v[index] - sharpest)),
    )


def _contrast(name: str, caption: str) -> Measure:
    index = NAMES.index(name)
    return Measure(
        caption,
        UNITS["contrast"],
        lambda site: tissue_ratio(site, name),
        lambda v: float(1 / (1 + np.exp(-v[index]))),
    )
