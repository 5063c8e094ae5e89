"""Gather what a fit knows and write its report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

from medvae.cohort import Scan
from medvae.noise.report.examples import example_pairs
from medvae.noise.report.inputs import measured
from medvae.noise.report.plots import (
    MOST_PAIRS,
    field_plots,
    parameter_plots,
    spectra_plots,
)
from medvae.noise.report.trials import quantile_groups, trials
from medvae.report import write_page
from noise_models.scanner import ScannerNoise
from noise_models.scanner.goodness import RULE, is_tried_calibrated
from noise_models.scanner.summary import (
    DRAWS,
    STILL_USED,
    describe_limits,
    describe_pair,
)
from noise_models.scanner.words import in_words

Progress = Callable[[int, int, str], None]

EVIDENCE = {
    "paired": "The same people were scanned at all sites.",
    "matched": "Different people at each site, matched by what is known of them.",
    "unpaired": "Different people at each site: a difference between the people can "
    "pass for one between the scanners.",
}


def write_fit_report(
    path: Path,
    noise: ScannerNoise,
    scans: Sequence[Scan] = (),
    *,
    cache: Path | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Write one HTML file on a fit, that needs no other file and no network.

    Args:
        path: Where.
        noise: The fit.
        scans: Scans that it was made from, for pictures and for each scan's own
            numbers; without them the page says that it has none.
        cache: Folder of scan estimates; by default the user's cache.
        jobs: Processes.
        progress: Called with (done, total, name).

    Raises:
        UserError: A scan cannot be read.
    """
    examples = measured(noise, scans, cache, jobs, progress)
    estimates = {
        site: [one.estimate for one in found] for site, found in examples.items()
    }
    sites = noise.sites
    people = sum(site.subjects for site in sites)
    drawn = _drawn_pairs(noise)
    content = {
        "title": f"How {_names(noise.labels)} differ",
        "intro": (
            f"Fitted from {sum(site.scans for site in sites)} scans of {people} people "
            f"at {len(sites)} sites."
        ),
        "evidence": noise.record.evidence,
        "evidence_words": EVIDENCE[noise.record.evidence],
        "trials": trials(noise.record.goodness),
        "rule": RULE,
        "differences": [describe_pair(a, b) for a, b in combinations(sites, 2)],
        "still_used": STILL_USED,
        "limits": _limits(noise),
        "added": _added(noise),
        "draws": DRAWS,
        "examples": example_pairs(noise, examples, drawn),
        "known": sum(map(len, examples.values())),
        "inputs": noise.record.inputs,
        "parameters": parameter_plots(noise, estimates),
        "spectra": spectra_plots(noise, drawn),
        "bare": _tried_bare(noise),
        "fields": field_plots(noise),
        "pairs_drawn": len(drawn),
        "pairs": len(sites) * (len(sites) - 1),
        "quantiles": quantile_groups(noise.record.goodness),
        "warnings": _warnings(noise),
        "outliers": [(s.label, in_words(o)) for s in sites for o in s.outliers],
        "seed": noise.record.seed,
        "versions": noise.record.versions,
        "command": noise.record.command,
    }
    return write_page(path, "medvae.noise.report", content)


def _tried_bare(noise: ScannerNoise) -> bool:
    """Whether pairs were tried without a calibration."""
    is_paired = noise.record.evidence == "paired"
    return not all(
        is_tried_calibrated(found.scans, is_paired=is_paired)
        for found in noise.record.goodness.values()
    )


def _drawn_pairs(noise: ScannerNoise) -> list[tuple[str, str]]:
    """The tried pairs, else all, up to a number that a page can hold."""
    keys = list(noise.record.goodness) or list(noise.record.pairs)
    known = {f"{a}->{b}": (a, b) for a in noise.labels for b in noise.labels}
    return [known[key] for key in keys if key in known][:MOST_PAIRS]


def _limits(noise: ScannerNoise) -> list[str]:
    told = [describe_limits(key, pair) for key, pair in noise.record.pairs.items()]
    return [text for text in told if text]


def _added(noise: ScannerNoise) -> list[dict[str, str]]:
    return [
        {
            "pair": key,
            "noise": f"{100 * pair.sigma_add:.1f}",
            "blur": ", ".join(f"{width:.1f}" for width in pair.psf_add_fwhm_mm),
            "clipped_noise": f"{100 * pair.clipped_noise:.0f}",
            "clipped_psf": ", ".join(f"{100 * v:.0f}" for v in pair.clipped_axes),
        }
        for key, pair in noise.record.pairs.items()
    ]


def _warnings(noise: ScannerNoise) -> list[str]:
    """All but the outliers, which have a list of their own."""
    outliers = {
        f"{site.label}: outlier {scan}."
        for site in noise.sites
        for scan in site.outliers
    }
    kept = [text for text in noise.record.warnings if text not in outliers]
    return [in_words(text) for text in kept]


def _names(labels: Sequence[str]) -> str:
    return f"{', '.join(labels[:-1])} and {labels[-1]}" if labels[1:] else labels[0]
