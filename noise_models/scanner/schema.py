"""The layout of scanner.yaml, checked on reading."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from noise_models.scanner.estimate import NAMES
from noise_models.scanner.evidence_file import CovariateFile, PairedFile

FORMAT = "medvae-scanner-noise"
VERSION = 2
UNITS = {
    "intensity": "fractions of the white-matter level",
    "length": "mm",
    "log_sigma": "log of the noise SD on the native grid",
    "psf": "signed variance in mm^2; only differences between sites have a meaning",
    "contrast": "logit csf/gm, logit gm/wm, log(upper/wm - 1)",
    "bias": "log-field coefficients, cosine basis of order 3 in a 240 mm box",
    "noise": "coefficients of log sigma(r), the same basis up to order 2",
    "kspace_extent": "share of Nyquist that is filled; below 1 the scan is zero-filled",
    "field_of_view_mm": "faces of the scans along x, y, z from the head's centre",
}

LOG_SIGMA = (-20.0, 5.0)
"""Noise from a billionth of white matter to 150 times it; no scanner is beyond."""

LARGEST = {name: 1000.0 if name.startswith("psf_") else 30.0 for name in NAMES}
"""Of a mean, and of an SD: mm^2 of sharpness, logarithms else; no scanner is beyond."""

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Extent = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Deciles = Annotated[tuple[FiniteFloat, ...], Field(min_length=11, max_length=11)]
Spacing = tuple[Positive, Positive, Positive]
Length = Annotated[float, Field(ge=0, le=1000)]  # mm
Place = Annotated[float, Field(ge=-10000, le=10000)]  # mm
Ends = tuple[Place, Place]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SiteFile(_Strict):
    """One site."""

    scans: Annotated[int, Field(ge=2)]
    subjects: Annotated[int, Field(ge=1)]
    spacing_mm: Spacing
    noise_from: dict[Literal["air", "tissue", "none"], Count]
    mean: dict[str, FiniteFloat]
    ci95: dict[str, tuple[float, float]]
    covariance: list[list[FiniteFloat]]
    coils: Positive | None = None
    kspace_extent: tuple[Extent, Extent, Extent] = (1.0, 1.0, 1.0)
    field_of_view_mm: tuple[Ends, Ends, Ends] | None = None
    placing_sd_mm: tuple[Length, Length, Length] = (0.0, 0.0, 0.0)
    outliers: list[str] = []
    flags: list[str] = []

    @model_validator(mode="after")
    def _complete(self) -> SiteFile:
        for key, table in (("mean", self.mean), ("ci95", self.ci95)):
            if tuple(table) != NAMES:
                missing = [n for n in NAMES if n not in table]
                extra = [n for n in table if n not in NAMES]
                raise ValueError(
                    f"{key} must list the parameters {NAMES[0]} to {NAMES[-1]} in "
                    f"order, got {len(table)} (missing {missing}, unknown {extra})"
                )
        low, high = LOG_SIGMA
        if not low <= self.mean["log_sigma"] <= high:
            raise ValueError(
                f"mean.log_sigma must lie between {low} and {high}, "
                f"got {self.mean['log_sigma']}"
            )
        if any(low >= high for low, high in self.field_of_view_mm or ()):
            raise ValueError(
                "field_of_view_mm must have the lower face of each axis first, "
                f"got {self.field_of_view_mm}"
            )
        size = len(NAMES)
        if len(self.covariance) != size or {len(r) for r in self.covariance} != {size}:
            raise ValueError(
                f"covariance must be {size} x {size}, got {len(self.covariance)} rows"
            )
        matrix = np.array(self.covariance)
        widest = float(np.abs(matrix).max())
        if not np.allclose(matrix, matrix.T, atol=1e-6 * widest):
            raise ValueError("covariance must be symmetric")
        if np.linalg.eigvalsh(matrix).min() < -1e-6 * widest:
            raise ValueError("covariance must have no negative variance")
        spreads = np.sqrt(matrix.diagonal().clip(0))
        for name, mean, spread in zip(NAMES, self.mean.values(), spreads, strict=True):
            if max(abs(mean), spread) > LARGEST[name]:
                raise ValueError(
                    f"{name}: mean and SD must be at most {LARGEST[name]:g}, "
                    f"got {mean:g} and {spread:g}"
                )
        return self


class PairFile(_Strict):
    """One ordered pair of sites."""

    sigma_add: Annotated[float, Field(ge=0)]
    psf_add_fwhm_mm: tuple[float, float, float]
    clipped_noise: Annotated[float, Field(ge=0, le=1)]
    clipped_psf: Annotated[float, Field(ge=0, le=1)]
    clipped_axes: tuple[Share, Share, Share] = (0.0, 0.0, 0.0)
    offset: dict[str, FiniteFloat] = {}
    inherited: Share = 0.0
    apodisation: FiniteFloat = 0.0
    grain: Annotated[float, Field(ge=-1, le=1)] = 0.0

    @model_validator(mode="after")
    def _known(self) -> PairFile:
        unknown = [name for name in self.offset if name not in NAMES]
        if unknown:
            raise ValueError(f"offset must list known parameters, got {unknown}")
        return self


class SpectraFile(_Strict):
    """Mean log power by spatial frequency."""

    per_mm: tuple[Positive, ...]
    a: tuple[FiniteFloat, ...]
    corrupted: tuple[FiniteFloat, ...]
    b: tuple[FiniteFloat, ...]

    @model_validator(mode="after")
    def _even(self) -> SpectraFile:
        sizes = [len(row) for row in (self.per_mm, self.a, self.corrupted, self.b)]
        if len(set(sizes)) > 1:
            raise ValueError(f"spectra must have rows of one length, got {sizes}")
        return self


class GoodnessFile(_Strict):
    """The trial of one ordered pair."""

    auc_before: float | None
    auc_after: float | None
    auc_floor: float | None
    verdict: Literal["pass", "warn", "fail", "no difference", "not enough evidence"]
    scans: tuple[Count, Count]
    auc_after_ci95: tuple[float | None, float | None] = (None, None)
    auc_attainable: float | None = None
    unattainable: list[str] = []
    separation_p: float | None = None
    features: dict[str, tuple[float, float]] = {}
    quantiles: dict[str, tuple[Deciles, Deciles, Deciles]] = {}
    spectra: SpectraFile | None = None


class Provenance(_Strict):
    """Where the numbers came from."""

    seed: int
    software: dict[str, str]
    inputs_sha256: dict[str, str]
    warnings: list[str] = []
    command: str = ""


class ScannerFile(_Strict):
    """The whole file."""

    format: Literal["medvae-scanner-noise"]
    version: Literal[2]
    units: dict[str, str]
    evidence: Literal["paired", "matched", "unpaired"]
    sites: Annotated[dict[str, SiteFile], Field(min_length=1)]
    pairs: dict[str, PairFile]
    goodness: dict[str, GoodnessFile]
    provenance: Provenance
    paired: dict[str, PairedFile] = {}
    covariates: dict[str, CovariateFile] = {}
    digest: str

    @model_validator(mode="after")
    def _pairs_are_of_its_sites(self) -> ScannerFile:
        for name in ("pairs", "goodness", "paired"):
            for key in getattr(self, name):
                if not _joins(key, self.sites):
                    raise ValueError(
                        f"{name} must join two of the sites, got {key[:60]!r}"
                    )
        return self


def _joins(key: str, sites: Collection[str]) -> bool:
    """Whether a key is ``"A->B"`` of two sites, whose labels may hold an arrow."""
    arrows = (arrow.span() for arrow in re.finditer("->", key))
    return any(key[:start] in sites and key[end:] in sites for start, end in arrows)
