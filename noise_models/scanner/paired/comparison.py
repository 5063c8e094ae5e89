"""Two scans of one person: how the two scanners differ, parameter by parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from noise_models.cosine import cosine_basis, cosine_field
from noise_models.scanner.estimate import (
    CONTRAST_NAMES,
    NAMES,
    PSF_NAMES,
    ScanEstimate,
    levels_of,
)
from noise_models.scanner.head import find_head
from noise_models.scanner.paired.intensities import (
    BIAS,
    MeasuredScan,
    intensity_difference,
)
from noise_models.scanner.paired.registration import Rigid, register
from noise_models.scanner.paired.sharpness import sharpness_difference
from noise_models.scanner.scans import Scan, read_scan
from noise_models.scanner.tissue import BIAS_EXTENT_MM, BIAS_ORDER, brain_mean_rows

PSF = slice(NAMES.index(PSF_NAMES[0]), NAMES.index(PSF_NAMES[-1]) + 1)
CSF, GM = (NAMES.index(name) for name in CONTRAST_NAMES[:2])


@dataclass(frozen=True)
class Compared:
    """What one person, scanned at A and at B, says about both scanners.

    Attributes:
        subject: Who.
        difference: Parameters of B less those of A, (K,), as `NAMES`.
        motion: Where A's points lie in B.
        problem: Why the pair cannot be used; empty when it can.

    Example:
        >>> still = Rigid(((1, 0, 0), (0, 1, 0), (0, 0, 1)), (0, 0, 0), 0.98)
        >>> Compared("T01", (0.0,) * len(NAMES), still).problem
        ''
    """

    subject: str
    difference: tuple[float, ...]
    motion: Rigid
    problem: str = ""


def compare(
    scan_a: Scan,
    scan_b: Scan,
    estimate_a: ScanEstimate,
    estimate_b: ScanEstimate,
    subject: str,
) -> Compared:
    """Register two scans of one person and read off how the scanners differ.

    Shading, contrast and sharpness come from the same anatomy in both; the rest (noise,
    fat) is the difference of the scans' own estimates, as is CSF where little is seen.

    Args:
        scan_a: The scan at A.
        scan_b: The scan at B.
        estimate_a: What was found on the scan at A.
        estimate_b: The same at B.
        subject: Who.

    Raises:
        ValueError: A scan cannot be read.
        ImportError: SimpleITK is missing.
    """
    a, b = _measured(scan_a, estimate_a), _measured(scan_b, estimate_b)
    plain = estimate_b.vector - estimate_a.vector
    motion = register(
        flattened(a), estimate_a.spacing_mm, flattened(b), estimate_b.spacing_mm
    )
    if motion.problem:
        return Compared(subject, tuple(plain.tolist()), motion, motion.problem)
    blur = _blur(a, b, motion)
    try:
        seen = intensity_difference(
            a, b, find_head(a.volume, estimate_a.spacing_mm), motion, blur.tolist()
        )
    except ValueError as error:
        return Compared(subject, tuple(plain.tolist()), motion, str(error))
    plain[PSF] = blur
    plain[BIAS] = seen.coefficients
    plain[GM], csf = _contrast(a, b, seen.log_gm, seen.log_csf)
    plain[CSF] = plain[CSF] if np.isnan(csf) else csf
    return Compared(subject, tuple(plain.tolist()), motion)


def flattened(scan: MeasuredScan) -> NDArray[np.float32]:
    """A scan without its shading, ``(X, Y, Z)``."""
    shape, spacing = scan.volume.shape, scan.estimate.spacing_mm
    centre = torch.tensor([scan.estimate.centre_voxels], dtype=torch.float32)
    factors = cosine_basis(shape, spacing, centre, BIAS_EXTENT_MM, BIAS_ORDER)
    coefficients = torch.tensor(scan.coefficients, dtype=torch.float32)[None]
    field = cosine_field(coefficients, factors)[0].numpy()
    level = float(brain_mean_rows() @ scan.coefficients)
    return np.asarray(scan.volume * np.exp(level - field), dtype=np.float32)


def _measured(scan: Scan, estimate: ScanEstimate) -> MeasuredScan:
    data, _ = read_scan(scan)
    volume = np.asarray(data, dtype=np.float32) / np.float32(estimate.reference)
    return MeasuredScan(volume, estimate)


def _blur(a: MeasuredScan, b: MeasuredScan, motion: Rigid) -> NDArray[np.float64]:
    """Sharpness under windows at the same place of the head."""
    step_a, step_b = (np.array(scan.estimate.spacing_mm) for scan in (a, b))
    centre = np.array(a.estimate.centre_voxels)
    there = motion.points((centre * step_a)[None])[0] / step_b
    return sharpness_difference(
        flattened(a),
        a.estimate.spacing_mm,
        centre.tolist(),
        flattened(b),
        b.estimate.spacing_mm,
        there.tolist(),
        sigmas=(a.estimate.sigma, b.estimate.sigma),
    )


def _contrast(
    a: MeasuredScan, b: MeasuredScan, log_gm: float, log_csf: float
) -> tuple[float, float]:
    """Steps of the logits gm/wm and csf/gm, about the mean level of both scans."""
    levels = np.stack([levels_of(scan.estimate.vector) for scan in (a, b)])
    csf, gm, _ = np.exp(np.log(levels).mean(0))
    return _logit_step(gm, log_gm), _logit_step(csf / gm, log_csf - log_gm)


def _logit_step(level: float, log_ratio: float) -> float:
    ends = np.clip(level * np.exp(np.array([-0.5, 0.5]) * log_ratio), 0.01, 0.99)
    return float(np.diff(np.log(ends / (1 - ends)))[0])
