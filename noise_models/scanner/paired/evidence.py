"""What a fit keeps of its travelers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PairedEvidence:
    """The difference A -> B, as the same people show it.

    Attributes:
        people: Travelers behind it.
        difference: Parameters of B less those of A, (K,).
        ci95: Its 95 % interval, (K, 2); people are resampled.
        psnr_db: Signal to noise ratio against B's scan of the same person, by arm
            (`residual.residual`), mean over people, each
            left out of the step between the sites, though not of its calibration.
        spectrum: RMS difference of the log radial spectrum, by arm.

    Example:
        >>> PairedEvidence(4, (0.1,), ((0.0, 0.2),)).people
        4
    """

    people: int
    difference: tuple[float, ...]
    ci95: tuple[tuple[float, float], ...]
    psnr_db: Mapping[str, float] = field(default_factory=dict, hash=False)
    spectrum: Mapping[str, float] = field(default_factory=dict, hash=False)


def mean_arms(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean over people, arm by arm.

    Example:
        >>> mean_arms([{"nothing": 20.0}, {"nothing": 22.0}])
        {'nothing': 21.0}
    """
    arms = found[0] if found else {}
    return {arm: sum(one[arm] for one in found) / len(found) for arm in arms}
