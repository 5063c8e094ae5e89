"""A fitted noise as plain values: what ``medvae noise show --json`` prints."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from noise_models.blur import FWHM2_PER_VARIANCE
from noise_models.scanner.estimate import BIAS, FIELD, levels_of
from noise_models.scanner.evidence_file import covariate_content, paired_content
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.record import Goodness
from noise_models.scanner.sites import Site
from noise_models.scanner.summary import describe
from noise_models.scanner.transfer import Pair
from noise_models.scanner.words import in_words

_AXES = ("x", "y", "z")


def show(noise: ScannerNoise) -> dict[str, Any]:
    """Sites, pairs, goodness and evidence in the units people use.

    ``psf_fwhm_mm`` of a site is relative: the widest that all sites share is not
    knowable from the scans, so the sharpest site of each axis reads 0 and the others
    read the FWHM that would make it as blurred as they are.

    Returns:
        The keys that design.md promises; unknown numbers are None.
    """
    sharpest = np.min([site.mean[1:4] for site in noise.sites], axis=0)
    record = noise.record
    return {
        "sites": {site.label: _site(site, sharpest) for site in noise.sites},
        "pairs": {key: _pair(pair) for key, pair in record.pairs.items()},
        "goodness": {key: _goodness(g) for key, g in record.goodness.items()},
        "evidence": record.evidence,
        "summary": describe(noise),
        "warnings": [in_words(text) for text in record.warnings],
        "paired": {key: paired_content(p) for key, p in record.paired.items()},
        "covariates": {n: covariate_content(c) for n, c in record.covariates.items()},
        "command": record.command,
    }


def _site(site: Site, sharpest: np.ndarray) -> dict[str, Any]:
    mean = np.array(site.mean)
    excess = np.sqrt((mean[1:4] - sharpest) * FWHM2_PER_VARIANCE)
    csf, gm, _ = levels_of(mean)
    return {
        "scans": site.scans,
        "subjects": site.subjects,
        "spacing_mm": list(site.spacing_mm),
        "noise_sigma": {
            "median": math.exp(mean[0]),
            "ci95": [_finite(math.exp(end)) for end in site.ci95[0]],
        },
        "psf_fwhm_mm": dict(zip(_AXES, excess.tolist(), strict=True)),
        "noise_field_rms": float(np.sqrt(np.sum(mean[FIELD] ** 2))),
        "coils": None if math.isnan(site.coils) else site.coils,
        "kspace_extent": dict(zip(_AXES, site.extent, strict=True)),
        "field_of_view_mm": {
            axis: [_finite(end) for end in ends]
            for axis, ends in zip(_AXES, site.field_of_view_mm, strict=True)
        },
        "bias_rms": float(np.sqrt(np.sum(mean[BIAS] ** 2))),
        "tissue_contrast": {"gm_over_wm": float(gm), "csf_over_wm": float(csf)},
    }


def _finite(value: float) -> float | None:
    """None for an end that one person cannot give."""
    return value if math.isfinite(value) else None


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "sigma_add": pair.sigma_add,
        "psf_add_fwhm_mm": dict(zip(_AXES, pair.psf_add_fwhm_mm, strict=True)),
        "clipped": {
            "noise": pair.clipped_noise,
            "psf": pair.clipped_psf,
            "psf_axes": dict(zip(_AXES, pair.clipped_axes, strict=True)),
        },
    }


def _goodness(found: Goodness) -> dict[str, Any]:
    numbers = {
        "auc_before": found.auc_before,
        "auc_after": found.auc_after,
        "auc_floor": found.auc_floor,
        "auc_attainable": found.auc_attainable,
        "separation_p": found.separation_p,
    }
    shown = {key: None if math.isnan(v) else v for key, v in numbers.items()}
    interval = [None if math.isnan(v) else v for v in found.auc_after_ci95]
    return {
        **shown,
        "auc_after_ci95": interval,
        "unattainable": list(found.unattainable),
        "verdict": found.verdict,
    }
