"""Travelers and covariates in scanner.yaml: what is written, and how it is read."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from noise_models.scanner.covariates import Covariate
from noise_models.scanner.estimate import NAMES
from noise_models.scanner.paired.evidence import PairedEvidence

_DIGITS = 6  # significant
Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PairedFile(_Strict):
    """What travelers say of one ordered pair."""

    people: Annotated[int, Field(ge=2)]
    difference: dict[str, FiniteFloat]
    ci95: dict[str, tuple[float, float]]
    psnr_db: dict[str, FiniteFloat] = {}
    spectrum: dict[str, FiniteFloat] = {}

    @model_validator(mode="after")
    def _complete(self) -> PairedFile:
        for key, table in (("difference", self.difference), ("ci95", self.ci95)):
            if tuple(table) != NAMES:
                raise ValueError(
                    f"{key} must list the parameters {NAMES[0]} to {NAMES[-1]} in "
                    f"order, got {len(table)}"
                )
        return self


class CovariateFile(_Strict):
    """One covariate across the sites; None stands for infinite or unknown."""

    mean: dict[str, FiniteFloat]
    sd: dict[str, Annotated[float, Field(ge=0)]]
    eta2: Share
    smd: Annotated[float, Field(ge=0)] | None
    overlap: Share
    vif: float | None
    known: Share
    fewest: Annotated[int, Field(ge=0)]
    adjusted: bool
    reason: str = ""


def paired_content(found: PairedEvidence) -> dict[str, Any]:
    """As plain values.

    Example:
        >>> ends = ((-1.0, 1.0),) * len(NAMES)
        >>> content = paired_content(PairedEvidence(3, (0.5,) * len(NAMES), ends))
        >>> content["people"], content["difference"]["log_sigma"]
        (3, 0.5)
    """
    return {
        "people": found.people,
        "difference": {
            name: _short(value)
            for name, value in zip(NAMES, found.difference, strict=True)
        },
        "ci95": {
            name: [_short(end) for end in ends]
            for name, ends in zip(NAMES, found.ci95, strict=True)
        },
        "psnr_db": {arm: _short(value) for arm, value in found.psnr_db.items()},
        "spectrum": {arm: _short(value) for arm, value in found.spectrum.items()},
    }


def read_paired(found: PairedFile) -> PairedEvidence:
    """From the validated file."""
    return PairedEvidence(
        people=found.people,
        difference=tuple(found.difference.values()),
        ci95=tuple(found.ci95.values()),
        psnr_db=dict(found.psnr_db),
        spectrum=dict(found.spectrum),
    )


def covariate_content(found: Covariate) -> dict[str, Any]:
    """As plain values.

    Example:
        >>> one = Covariate({"A": 24.0}, {"A": 5.0}, 0.0, 0.0, 1.0, math.inf, 1.0, 9)
        >>> covariate_content(one)["vif"] is None
        True
    """
    return {
        "mean": {site: _short(value) for site, value in found.mean.items()},
        "sd": {site: _short(value) for site, value in found.sd.items()},
        "eta2": _short(found.eta2),
        "smd": _finite(found.smd),
        "overlap": _short(found.overlap),
        "vif": _finite(found.vif),
        "known": _short(found.known),
        "fewest": found.fewest,
        "adjusted": found.adjusted,
        "reason": found.reason,
    }


def read_covariate(found: CovariateFile) -> Covariate:
    """From the validated file."""
    return Covariate(
        mean=dict(found.mean),
        sd=dict(found.sd),
        eta2=found.eta2,
        smd=math.inf if found.smd is None else found.smd,
        overlap=found.overlap,
        vif=math.inf if found.vif is None else found.vif,
        known=found.known,
        fewest=found.fewest,
        adjusted=found.adjusted,
        reason=found.reason,
    )


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _finite(value: float) -> float | None:
    return _short(value) if math.isfinite(value) else None
