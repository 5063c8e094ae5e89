"""The scans that a fit was made from, and what was estimated from each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from medvae.cohort import Cohort, Scan
from medvae.errors import UserError
from medvae.files import user_cache
from medvae.noise.fitted import estimate_scans
from medvae.noise.report.examples import Example
from noise_models.scanner import ScanEstimate, ScannerNoise
from noise_models.scanner.scans import content_digest

Progress = Callable[[int, int, str], None]


def inputs_among(noise: ScannerNoise, cohort: Cohort, file: Path) -> list[Scan]:
    """The scans of a cohort that a fit was made from, told by their content.

    Args:
        noise: The fit.
        cohort: Where they may be.
        file: What messages call the fit.

    Raises:
        UserError: None of them is, or a file is not there.
    """
    digests = set(noise.record.inputs.values())
    there = [scan for scan in cohort.scans if scan.site in noise.labels]
    try:
        found = [scan for scan in there if content_digest(scan.path) in digests]
    except FileNotFoundError as error:
        raise UserError(f"{error} Leave it out of {cohort.root}.") from None
    if not found:
        raise UserError(
            f"{cohort.root}: none of its {len(there)} scans of "
            f"{', '.join(noise.labels)} is among the {len(digests)} that {file} was "
            "fitted to. Name the data of that fit, or leave out --data."
        )
    return found


def measured(
    noise: ScannerNoise,
    scans: Sequence[Scan],
    cache: Path | None,
    jobs: int,
    progress: Progress | None,
) -> dict[str, list[Example]]:
    """Every scan with its estimate, by site; kept estimates are read back."""
    folder = (cache or user_cache()) / "estimates"
    estimates = estimate_scans(scans, folder, jobs, progress)
    found: dict[str, list[Example]] = {label: [] for label in noise.labels}
    for scan in scans:
        own = estimates[scan.path]
        if isinstance(own, ScanEstimate) and scan.site in found:
            found[scan.site].append(Example(scan.path, own))
    return found
