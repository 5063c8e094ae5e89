"""Everything the fit knows of one scan: a short vector, and how it was found."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noise_models.cosine import cosine_terms
from noise_models.scanner.flags import AGREEMENT, Evidence, flags_of, is_shared
from noise_models.scanner.head import find_head
from noise_models.scanner.noise_field import FIELD_TERMS, FLAT, noise_field
from noise_models.scanner.noise_level import (
    AirNoise,
    air_noise,
    air_tiles,
    flat_tissue,
    quantisation_step,
    tissue_noise,
)
from noise_models.scanner.noise_spectrum import (
    air_correlation,
    haar_gain,
    kspace_extent,
)
from noise_models.scanner.power_spectrum import head_spectrum
from noise_models.scanner.resolution import sharpness
from noise_models.scanner.tissue import BIAS_ORDER, Tissue, fit_tissue

ESTIMATOR_VERSION = 8
BIAS_NAMES = tuple(
    "bias_" + "".join(str(k) for k in term) for term in cosine_terms(3, BIAS_ORDER)
)
PSF_NAMES = ("psf_x_mm2", "psf_y_mm2", "psf_z_mm2")
CONTRAST_NAMES = ("logit_csf_over_gm", "logit_gm_over_wm", "log_upper_excess")
FIELD_NAMES = tuple("noise_" + "".join(str(k) for k in term) for term in FIELD_TERMS)
LEAST_OVER_TEXTURE = 0.025  # sigma over white; below, texture of tissue is as strong
MOST_TILES = 300  # of air, where all of them would tell no more
ORDINARY = (2.0**-10, 2.0**24)  # bright intensities of scans estimated as stored
NAMES = ("log_sigma", *PSF_NAMES, *CONTRAST_NAMES, *BIAS_NAMES, *FIELD_NAMES)
"""The parameters of a scan, transformed so that every real number is legal:
log of sigma over the reference; signed PSF variances; the logit of csf/gm and gm/wm,
and log(upper - 1), so that levels always ascend; log-bias coefficients; and those of
log sigma(r) over the head."""
BIAS = slice(NAMES.index(BIAS_NAMES[0]), NAMES.index(BIAS_NAMES[-1]) + 1)
FIELD = slice(NAMES.index(FIELD_NAMES[0]), NAMES.index(FIELD_NAMES[-1]) + 1)


@dataclass(frozen=True)
class ScanEstimate:
    """What one scan says about its scanner, in units that travel.

    Attributes:
        values: One number per name in `NAMES`; nan where the scan cannot say.
        spacing_mm: Voxel size of the scan as acquired (or as stored).
        reference: White-matter level in the scan's own intensity.
        evidence: Where sigma came from: ``"air"``, ``"tissue"`` or ``"none"``.
        flags: What was odd about the scan, as short words.
        shape: Size of the scan, (X, Y, Z).
        centre_voxels: Centre of the head, on which the shading is described.
        coils: Effective number of coils, read in air; nan where it cannot be.
        correlation: Of the complex noise of neighbours in air, per axis; nan likewise.
        extent: Share of k-space that is filled, per axis; below 1: zero-filled.
        digest: SHA-256 of the voxels and the voxel size.
        label: File or name, for messages.
        site: Site label, where known: a volume is not sent to its own site.

    Example:
        >>> one = ScanEstimate((0.0,) * len(NAMES), (1.0, 1.0, 1.0), 100.0, "air")
        >>> one.sigma, one.gm_over_wm
        (1.0, 0.5)
    """

    values: tuple[float, ...]
    spacing_mm: tuple[float, float, float]
    reference: float
    evidence: str
    flags: tuple[str, ...] = ()
    shape: tuple[int, int, int] = (0, 0, 0)
    centre_voxels: tuple[float, float, float] = (0.0, 0.0, 0.0)
    coils: float = float("nan")
    correlation: tuple[float, float, float] = (float("nan"),) * 3
    extent: tuple[float, float, float] = (1.0, 1.0, 1.0)
    digest: str = ""
    label: str = ""
    site: str = ""

    @property
    def vector(self) -> NDArray[np.float64]:
        """``values`` as an array, (K,)."""
        return np.array(self.values, dtype=float)

    @property
    def sigma(self) -> float:
        """Noise SD on the native grid, in reference units."""
        return float(np.exp(self.values[0]))

    @property
    def gm_over_wm(self) -> float:
        """Grey over white matter."""
        return float(levels_of(self.vector)[1])

    @property
    def csf_over_wm(self) -> float:
        """CSF over white matter."""
        return float(levels_of(self.vector)[0])

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; `from_dict` gives back the same estimate."""
        return {
            "version": ESTIMATOR_VERSION,
            "values": [_known(v) for v in self.values],
            "spacing_mm": list(self.spacing_mm),
            "reference": self.reference,
            "evidence": self.evidence,
            "flags": list(self.flags),
            "shape": list(self.shape),
            "centre_voxels": list(self.centre_voxels),
            "coils": _known(self.coils),
            "correlation": [_known(v) for v in self.correlation],
            "extent": list(self.extent),
            "digest": self.digest,
            "label": self.label,
            "site": self.site,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ScanEstimate:
        """Rebuild what `as_dict` wrote."""
        x, y, z = (float(s) for s in content["spacing_mm"])
        nx, ny, nz = (int(n) for n in content["shape"])
        cx, cy, cz = (float(c) for c in content["centre_voxels"])
        rx, ry, rz = (_number(v) for v in content["correlation"])
        ex, ey, ez = (float(e) for e in content["extent"])
        return cls(
            values=tuple(_number(v) for v in content["values"]),
            spacing_mm=(x, y, z),
            reference=float(content["reference"]),
            evidence=str(content["evidence"]),
            flags=tuple(str(f) for f in content["flags"]),
            shape=(nx, ny, nz),
            centre_voxels=(cx, cy, cz),
            coils=_number(content["coils"]),
            correlation=(rx, ry, rz),
            extent=(ex, ey, ez),
            digest=str(content["digest"]),
            label=str(content["label"]),
            site=str(content.get("site", "")),
        )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def levels_of(vector: NDArray[np.floating]) -> NDArray[np.float64]:
    """Tissue levels (..., 3) csf, gm and upper over wm, from parameters (..., K).

    Example:
        >>> levels_of(np.zeros(len(NAMES))).tolist()
        [0.25, 0.5, 2.0]
    """
    csf, gm, upper = np.moveaxis(vector[..., 4:7], -1, 0)
    grey = 1 / (1 + np.exp(-gm))
    return np.stack([grey / (1 + np.exp(-csf)), grey, 1 + np.exp(upper)], -1)


def estimate_scan(
    data: NDArray[np.generic],
    spacing_mm: Sequence[float],
    *,
    label: str = "",
    digest: str | None = None,
) -> ScanEstimate:
    """Estimate noise, sharpness, contrast and shading of one scan.

    Args:
        data: The scan as stored, before any resampling: ``(X, Y, Z)``, X to the right,
            Y to the front, Z up; T1 weighted, any gain.
        spacing_mm: Voxel size per axis.
        label: What messages call the scan.
        digest: SHA-256 of the content, where it is known already.

    Raises:
        ValueError: Not three-dimensional, not finite, no head, or voxels too coarse.

    Example:
        >>> estimate_scan(np.zeros((4, 4, 4)), (1, 1, 1), label="a.nii")
        Traceback (most recent call last):
        ValueError: a.nii: the volume must hold more than one intensity, got only 0.0.
    """
    where = f"{label}: " if label else ""
    volume = _checked(data, where)
    unit = _unit(volume)
    volume = volume / unit if unit != 1 else volume
    x, y, z = (float(s) for s in spacing_mm)
    try:
        head = find_head(volume, (x, y, z))
        step = quantisation_step(volume)
        flat, every = flat_tissue(volume, head), air_tiles(volume, head)
        tiles = every.some(MOST_TILES)
        spectrum = head_spectrum(volume, (x, y, z), head.centre_voxels)
        extent = kspace_extent(spectrum)
        air, inside = air_noise(every, step), tissue_noise(flat)
        inside /= haar_gain(extent)
        sigma, evidence = choose_sigma(air, inside)
        if evidence == "tissue" and inside < step:
            # Averaged or denoised: what is left lies between two stored levels.
            sigma, evidence = float("nan"), "none"
        tissue = fit_tissue(volume, (x, y, z), head, sigma)
        blur = sharpness(spectrum, sigma, extent)
    except ValueError as error:
        raise ValueError(f"{where}{error}") from error
    # Else what is finest in tissue is texture, or the steps between stored levels.
    shows_noise = sigma > 0 and inside < AGREEMENT * sigma and step < inside
    shows_noise &= evidence == "air" or sigma > LEAST_OVER_TEXTURE * tissue.reference
    field = (
        noise_field(flat, tiles, (x, y, z), head.centre_voxels, volume.shape)
        if shows_noise
        else FLAT
    )
    correlation = air_correlation(tiles)
    is_resampled = is_shared(correlation) and min(extent) == 1
    seen = Evidence(
        head=head,
        air=air,
        inside=inside,
        sigma=sigma,
        lowest=every.lowest,
        step=step,
        correlation=correlation,
        extent=extent,
        field_is_flat=field.is_flat,
        tissue=tissue,
    )
    values = (
        float(np.log(max(sigma / tissue.reference, 1e-5))),
        *blur.variance_mm2,
        *_contrast(tissue),
        *tissue.coefficients,
        *(FLAT if field.is_flat else field).coefficients,
    )
    key = digest if digest is not None else array_digest(data, (x, y, z))
    return ScanEstimate(
        values=values,
        spacing_mm=(x, y, z),
        reference=tissue.reference * float(unit),
        evidence=evidence,
        flags=flags_of(volume, seen),
        shape=volume.shape,
        centre_voxels=head.centre_voxels,
        # Interpolated air is narrow, as that of many coils is.
        coils=float("nan") if is_resampled else air.coils,
        correlation=correlation,
        extent=extent,
        digest=key,
        label=label,
    )


def choose_sigma(air: AirNoise, tissue: float) -> tuple[float, str]:
    """Air where it is trustworthy, else tissue, else nothing.

    Rayleigh air is exact. Air of several coils looks like interpolated air, so it
    counts only where the tissue agrees with it.

    Example:
        >>> choose_sigma(AirNoise(5.0, 1.0, 1.91, 0.0, True), 5.4)
        (5.0, 'air')
        >>> choose_sigma(AirNoise(5.0, 7.0, 5.3, 0.0, False), 2.0)
        (2.0, 'tissue')
    """
    if air.is_rayleigh and not (tissue > 0 and tissue < air.sigma / AGREEMENT):
        return air.sigma, "air"
    agree = tissue > 0 and 1 / AGREEMENT < air.sigma / tissue < AGREEMENT
    if agree and not np.isnan(air.sigma):
        return air.sigma, "air"
    return (tissue, "tissue") if tissue > 0 else (float("nan"), "none")


def array_digest(data: NDArray[np.generic], spacing_mm: Sequence[float]) -> str:
    """SHA-256 of voxels, type, shape and voxel size.

    Example:
        >>> len(array_digest(np.zeros(3), (1.0,)))
        64
    """
    head = f"{data.dtype.str} {data.shape} {tuple(spacing_mm)}"
    content = np.ascontiguousarray(data)
    return hashlib.sha256(head.encode() + content.tobytes()).hexdigest()


def _checked(data: NDArray[np.generic], where: str) -> NDArray[np.float32]:
    if data.ndim != 3:
        raise ValueError(f"{where}the volume must be 3-D, got shape {data.shape}.")
    volume = np.asarray(data, dtype=np.float32)
    bad = volume.size - int(np.isfinite(volume).sum())
    if bad:
        raise ValueError(f"{where}voxels must be finite, got {bad} that are not.")
    low = float(volume.min())
    if low == float(volume.max()):
        raise ValueError(
            f"{where}the volume must hold more than one intensity, got only {low}."
        )
    return volume


def _unit(volume: NDArray[np.float32]) -> np.float32:
    """What to divide a scan by, so that powers of its voxels are numbers.

    A power of two, which rounds no voxel: the one nearest to the 99th percentile of
    the positive voxels. An ordinary scan stays as it is, to the last bit.
    """
    positive = volume[volume > 0]
    bright = float(np.percentile(positive, 99)) if positive.size else 1.0
    if ORDINARY[0] <= bright <= ORDINARY[1]:
        return np.float32(1)
    return np.float32(2.0 ** round(np.log2(bright)))


def _contrast(tissue: Tissue) -> tuple[float, float, float]:
    def logit(share: float) -> float:
        kept = float(np.clip(share, 0.01, 0.99))
        return float(np.log(kept / (1 - kept)))

    upper = float(np.log(np.clip(tissue.upper - 1, 0.03, 20.0)))
    return logit(tissue.csf / tissue.gm), logit(tissue.gm), upper
