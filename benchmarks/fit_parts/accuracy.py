"""Noise, sharpness, contrast and shading against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fit_parts.pools import estimates, phantom, pool, second, vectors
from fit_parts.simulator import Machine, scan
from noise_models.scanner.estimate import BIAS, estimate_scan, levels_of
from noise_models.scanner.sites import summarise_site
from noise_models.scanner.tissue import basis_rows, brain_mean_rows

KERNELS = (("hann", 0.5), ("gaussian", 0.5), ("gaussian", 0.8), ("gaussian", 1.2))
FRESH = 100  # people below this number were looked at while the method was made
LEVELS = (0.02, 0.03, 0.05, 0.09, 0.15)


def median_with_interval(values: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Median, its bootstrap interval, and n."""
    rng = np.random.default_rng(seed)
    draws = np.median(rng.choice(values, (2000, len(values))), axis=1)
    low, high = np.percentile(draws, (2.5, 97.5))
    return {
        "median": float(np.median(values)),
        "ci95": [float(low), float(high)],
        "n": len(values),
    }


def sigma_errors(work: Path, scans: int, jobs: int) -> dict[str, Any]:
    """Relative error of sigma at known levels, with air and without."""
    found: dict[str, Any] = {}
    for level in LEVELS:
        for air in ("noise", "zeroed"):
            if air == "zeroed" and level < 0.03:
                continue
            machine = Machine(sigma=level, air=air)
            rows = pool(
                work,
                f"noise-second-{air}-{level}",
                second,
                [(FRESH + k, machine) for k in range(scans)],
                jobs=jobs,
            )
            error = [
                abs(e.sigma / row["truth"]["sigma"] - 1)
                for e, row in zip(estimates(rows), rows, strict=True)
            ]
            found[f"second, {air}, {level:.0%}"] = median_with_interval(np.array(error))
        rows = pool(
            work,
            f"noise-phantom-{level}",
            phantom,
            [(FRESH + k, "NYU", 2.0, {"sigma": level}) for k in range(scans)],
            jobs=jobs,
        )
        # In stored units, so that the unit of intensity does not enter.
        error = [
            abs(e.sigma * row["unit"] / row["truth"]["sigma"] - 1)
            for e, row in zip(estimates(rows), rows, strict=True)
        ]
        found[f"phantom, noise, {level:.0%}"] = median_with_interval(np.array(error))
    return found


def psf_differences(work: Path, scans: int, jobs: int) -> dict[str, Any]:
    """Fitted PSF difference of two sites, as SD in voxels, against the true one.

    Twelve other people at each site, many times over; the error is that of
    ``sign(v) sqrt(|v|)`` with v the variance difference in voxels^2.
    """
    found = {}
    geometries = {"2 mm": ((2.0,) * 3, (2.0,) * 3), "1x1x3 mm": ((1, 1, 3), (1, 1, 1))}
    for name, (voxel, fine) in geometries.items():
        base = Machine(voxel_mm=voxel, fine_mm=fine)
        sharp = pool(
            work,
            f"blur-{name}-sharp",
            second,
            [(FRESH + k, base) for k in range(scans)],
            jobs=jobs,
        )
        for kernel, share in KERNELS:
            blur = tuple(share * v for v in voxel)
            blurred = pool(
                work,
                f"blur-{name}-{kernel}-{share}",
                second,
                [
                    (
                        500 + k,
                        Machine(
                            voxel_mm=voxel, fine_mm=fine, blur_mm=blur, kernel=kernel
                        ),
                    )
                    for k in range(scans)
                ],
                jobs=jobs,
            )
            found[f"{name}, {kernel}, {share} voxel"] = _difference_errors(
                vectors(sharp)[:, 1:4], vectors(blurred)[:, 1:4], voxel, share
            )
    found.update(_phantom_differences(work, scans, jobs))
    return found


def _phantom_differences(work: Path, scans: int, jobs: int) -> dict[str, Any]:
    """The same on a phantom scanner whose Gaussian blur is changed."""
    found, voxel, base_fwhm = {}, 2.0, 2.0
    pools = {}
    for share in (0.0, 0.5, 0.8, 1.2):
        fwhm = np.hypot(base_fwhm, share * voxel * np.sqrt(8 * np.log(2)))
        first = FRESH + (500 if share else 0)
        changes = {"blur_mm": (float(fwhm),) * 3}
        rows = pool(
            work,
            f"blur-phantom-{share}",
            phantom,
            [(first + k, "OLIN", 2.0, changes) for k in range(scans)],
            jobs=jobs,
        )
        pools[share] = vectors(rows)[:, 1:4]
    for share, blurred in pools.items():
        if share:
            found[f"phantom 2 mm, gaussian, {share} voxel"] = _difference_errors(
                pools[0.0], blurred, (voxel,) * 3, share
            )
    return found


def _difference_errors(
    a: np.ndarray, b: np.ndarray, voxel: tuple[float, ...], share: float
) -> dict[str, Any]:
    """Errors of ``sign(v) sqrt(|v|)`` over draws of 12 scans from either pool."""
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(200):
        one, two = (rng.choice(len(v), 12, replace=False) for v in (a, b))
        v = (np.median(b[two], 0) - np.median(a[one], 0)) / np.square(voxel)
        errors.append(np.sign(v) * np.sqrt(np.abs(v)) - share)
    table = np.array(errors)
    return {
        axis: {
            "bias_voxel": float(table[:, k].mean()),
            "mean_abs_error_voxel": float(np.abs(table[:, k]).mean()),
            "pool": [len(a), len(b)],
            "draws": 200,
        }
        for k, axis in enumerate("xyz")
    }


def contrast_and_bias(work: Path, scans: int, jobs: int) -> dict[str, Any]:
    """Site contrast, and the mean bias ratio of two sites, against the truth."""
    machines = {
        "A": Machine(gm=0.66, csf=0.25, lobes=0.3),
        "B": Machine(gm=0.80, csf=0.42, lobes=0.8, turn=1.5, sigma=0.05, coils=1),
        "C": Machine(gm=0.72, csf=0.33, lobes=1.2, turn=3.5, sigma=0.02),
    }
    sites, found = {}, {}
    for number, (label, machine) in enumerate(machines.items()):
        rows = pool(
            work,
            f"contrast-{label}",
            second,
            [(1000 * (number + 1) + k, machine) for k in range(scans)],
            jobs=jobs,
        )
        sites[label] = np.array(summarise_site(label, estimates(rows)).mean)
        csf, gm, _ = levels_of(sites[label])
        found[f"gm/wm {label}"] = {"truth": machine.gm, "fitted": float(gm)}
        found[f"csf/wm {label}"] = {"truth": machine.csf, "fitted": float(csf)}
    for a, b in (("A", "B"), ("A", "C"), ("B", "C")):
        one, two = (scan(7, machines[k]) for k in (a, b))
        own = estimate_scan(one.image, one.voxel_mm)
        places = np.argwhere(one.brain)[::50]
        rows_ = basis_rows(places, one.voxel_mm, own.centre_voxels, one.image.shape)
        fitted = (rows_ - brain_mean_rows()) @ (sites[b][BIAS] - sites[a][BIAS])
        true = (two.log_bias - one.log_bias)[tuple(places.T)]
        found[f"bias ratio {a}->{b}"] = {
            "correlation": float(np.corrcoef(fitted, true)[0, 1]),
            "rms_true": float(true.std()),
            "rms_error": float((fitted - true - (fitted - true).mean()).std()),
        }
    return found
