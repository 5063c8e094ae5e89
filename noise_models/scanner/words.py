"""What a reader calls the numbers of a fit; files keep the names of the code."""

from __future__ import annotations

import math
import re

from noise_models.scanner.estimate import NAMES
from noise_models.scanner.features import FEATURES

_AXES = ("left-right", "back-front", "bottom-top")
_DETAIL = {"hhh": "all axes", "hll": "x", "lhl": "y", "llh": "z"}


def _shape(term: str) -> str:
    """Of a cosine over the head, from its orders along x, y and z.

    Example:
        >>> _shape("100"), _shape("020"), _shape("011"), _shape("210")
        ('left-right trend', 'back-front bowl', 'back-front by bottom-top',
         'left-right bowl by back-front')
    """
    orders = {axis: int(k) for axis, k in zip(_AXES, term, strict=True) if int(k)}
    trend = " trend" if len(orders) == 1 else ""
    names = (trend, " bowl", " wave")
    return " by ".join(f"{axis}{names[k - 1]}" for axis, k in orders.items())


def _parameter(name: str) -> str:
    kind, term = name.split("_", 1)
    if kind == "bias":
        return f"shading, {_shape(term)}"
    if kind == "noise":
        return f"unevenness of the noise, {_shape(term)}"
    return {
        "log_sigma": "noise",
        "psf_x_mm2": "blur along x",
        "psf_y_mm2": "blur along y",
        "psf_z_mm2": "blur along z",
        "logit_csf_over_gm": "CSF/grey contrast",
        "logit_gm_over_wm": "grey/white contrast",
        "log_upper_excess": "brightness above white matter",
    }[name]


def _feature(name: str) -> str:
    kind, _, rest = name.partition(" ")
    if kind == "detail":
        return f"fine detail along {_DETAIL[rest]}"
    if kind == "shading":
        return f"shading, {_shape(rest)}"
    if kind == "power":
        return f"texture of {rest}"
    if rest.startswith("q"):
        return f"{kind}, {rest[1:]} % quantile"
    return {"air level": "level of air", "air mean/SD": "air, mean over SD"}[name]


PARAMETERS = {name: _parameter(name) for name in NAMES}
"""Parameters of a scan, by their name in files: more is more of what the words say."""


def change_of(name: str, change: float) -> str:
    """How far a parameter has moved, in its unit.

    Example:
        >>> change_of("log_sigma", 0.2), change_of("psf_y_mm2", -0.814)
        ('by a factor of 1.22', 'by -0.81 mm² (variance of the kernel)')
    """
    if name in ("log_sigma", "log_upper_excess"):
        return f"by a factor of {math.exp(change):.2f}"
    if name.startswith("psf"):
        return f"by {change:+.2f} mm² (variance of the kernel)"
    unit = "log-odds" if name.startswith("logit") else "of the log-field"
    return f"by {change:+.3f} {unit}"


UNITS = {
    "noise": "SD, % of white matter",
    "blur": "FWHM, mm",
    "contrast": "ratio of intensities",
    "shading": "RMS of the log-field, %",
}

FEATURE_WORDS = {name: _feature(name) for name in FEATURES}
"""Features that a trial compares, by their name in files."""

_NAMED = re.compile(r"\b(" + "|".join(sorted(NAMES, key=len, reverse=True)) + r")\b")


def in_words(text: str) -> str:
    """A sentence with the names of the code in it, as a reader would have it.

    Example:
        >>> in_words("NYU: outlier a.nii.gz: psf_z_mm2 8.1 SD away.")
        'NYU: outlier a.nii.gz: blur along z 8.1 SD away.'
    """
    return _NAMED.sub(lambda match: PARAMETERS[match[1]], text)
