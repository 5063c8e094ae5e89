"""Every plot of a fit, with its caption, ready for the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from medvae.noise.report.fields import field_plot, percent_field
from medvae.noise.report.figures import parameter_plot, spectra_plot
from medvae.noise.report.measures import measures
from medvae.report.embed import svg
from noise_models.scanner import ScanEstimate, ScannerNoise

MOST_PAIRS = 6  # that are drawn; sentences and tables name all


def parameter_plots(
    noise: ScannerNoise, scans: Mapping[str, Sequence[ScanEstimate]]
) -> list[dict[str, str]]:
    """A plot a parameter, with the scans of every site where they are at hand."""
    return [
        {
            "source": svg(parameter_plot(measure, noise.sites, scans)),
            "caption": measure.caption,
        }
        for measure in measures(noise)
    ]


def spectra_plots(
    noise: ScannerNoise, pairs: Sequence[tuple[str, str]]
) -> list[dict[str, str]]:
    """A plot a tried pair; fits of earlier versions keep no spectra."""
    found = []
    for a, b in pairs:
        trial = noise.record.goodness.get(f"{a}->{b}")
        if trial is not None and trial.spectra is not None:
            source = svg(spectra_plot(trial.spectra, a, b))
            found.append({"source": source, "caption": f"{a}->{b}"})
    return found


def field_plots(noise: ScannerNoise) -> dict[str, list[dict[str, str]]]:
    """Shading of every site, and of one over another, each group in one scale."""
    own = {site.label: percent_field(site) for site in noise.sites}
    couples = list(combinations(noise.sites, 2))[:MOST_PAIRS]
    ratios = {f"{b.label} over {a.label}": percent_field(b, a) for a, b in couples}
    groups = {"sites": own, "ratios": ratios}
    return {
        name: [
            {"source": svg(field_plot(planes, _limit(group))), "caption": caption}
            for caption, planes in group.items()
        ]
        for name, group in groups.items()
    }


def _limit(group: Mapping[str, Sequence[np.ndarray]]) -> float:
    """The largest deviation of a group, in whole 5 %."""
    largest = max(float(np.nanmax(np.abs(p))) for ps in group.values() for p in ps)
    return max(5.0, 5.0 * math.ceil(largest / 5))
