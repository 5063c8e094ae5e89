"""What a fit keeps beside its numbers: pairs, goodness, and where it came from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from noise_models.scanner.covariates import Covariate
from noise_models.scanner.paired.evidence import PairedEvidence
from noise_models.scanner.transfer import Pair

Quantiles = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
"""Deciles, lowest to highest, of one feature at A, corrupt(A) and B."""


def pair_key(source: str, target: str) -> str:
    """What the pair of two sites is called in a `Record` and in its file.

    Example:
        >>> pair_key("A", "B")
        'A->B'
    """
    return f"{source}->{target}"


@dataclass(frozen=True)
class MeanSpectra:
    """Mean log power per mode, by spatial frequency.

    Attributes:
        per_mm: Middle of every shell, 1/mm, (S,).
        a: Real scans of A, (S,).
        corrupted: corrupt(A), (S,).
        b: Real scans of B, (S,).

    Example:
        >>> MeanSpectra((0.1,), (0.0,), (-1.0,), (-1.0,)).b
        (-1.0,)
    """

    per_mm: tuple[float, ...]
    a: tuple[float, ...]
    corrupted: tuple[float, ...]
    b: tuple[float, ...]


@dataclass(frozen=True)
class Goodness:
    """How well corrupt(A) passes for B, on scans the fit had not seen.

    Attributes:
        auc_before: Classifier A against B.
        auc_after: Classifier corrupt(A) against B.
        auc_floor: Classifier B against B, the best that can be hoped for.
        verdict: ``"pass"``, ``"warn"``, ``"fail"``, ``"no difference"`` or
            ``"not enough evidence"``; the rule is in `goodness.verdict_of`.
        scans: Scans of A and B that were compared.
        auc_after_ci95: Interval of ``auc_after`` (Hanley & McNeil).
        auc_attainable: ``auc_after`` without what B has less of than A.
        unattainable: What that is: ``"noise"``, ``"psf x"``, ...
        separation_p: Permutation p of A against B.
        features: For every low-level feature the Kolmogorov-Smirnov distance of
            corrupt(A) and B, and its p corrected for their number (Holm).
        quantiles: For every feature its deciles at A, corrupt(A) and B; empty in
            files of earlier fits.
        spectra: Radial spectra of the same scans; None in such files.

    Example:
        >>> Goodness(0.99, 0.6, 0.5, "pass", (8, 8)).verdict
        'pass'
    """

    auc_before: float
    auc_after: float
    auc_floor: float
    verdict: str
    scans: tuple[int, int]
    auc_after_ci95: tuple[float, float] = (math.nan, math.nan)
    auc_attainable: float = math.nan
    unattainable: tuple[str, ...] = ()
    separation_p: float = math.nan
    features: Mapping[str, tuple[float, float]] = field(
        default_factory=dict, hash=False
    )
    quantiles: Mapping[str, Quantiles] = field(default_factory=dict, hash=False)
    spectra: MeanSpectra | None = None


@dataclass(frozen=True)
class Record:
    """The history of a fit.

    Attributes:
        evidence: ``"paired"``, ``"matched"`` or ``"unpaired"``.
        pairs: ``"A->B"`` to what it adds.
        goodness: ``"A->B"`` to how well it does, for the pairs that were tried.
        seed: Of bootstrap and goodness.
        versions: Software, by name.
        inputs: SHA-256 by scan label.
        warnings: Sentences for the reader.
        paired: ``"A->B"`` to what travelers say, where they link the two.
        covariates: Age, sex and others across the sites, by name.
        command: What was typed to make it; empty for fits made in Python.

    Example:
        >>> Record().evidence
        'unpaired'
    """

    evidence: str = "unpaired"
    pairs: Mapping[str, Pair] = field(default_factory=dict, hash=False)
    goodness: Mapping[str, Goodness] = field(default_factory=dict, hash=False)
    seed: int = 0
    versions: Mapping[str, str] = field(default_factory=dict, hash=False)
    inputs: Mapping[str, str] = field(default_factory=dict, hash=False)
    warnings: tuple[str, ...] = ()
    paired: Mapping[str, PairedEvidence] = field(default_factory=dict, hash=False)
    covariates: Mapping[str, Covariate] = field(default_factory=dict, hash=False)
    command: str = ""
