"""Plots of a fit: parameters, spectra, quantiles against quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from medvae.noise.report.measures import Measure
from medvae.report.canvas import COLOURS, INK, SOFT, STYLE, canvas, legend, plain
from noise_models.scanner.estimate import ScanEstimate
from noise_models.scanner.record import MeanSpectra, Quantiles
from noise_models.scanner.sites import Site

DECIBEL = 10 / np.log(10)  # per unit of natural log-power


def parameter_plot(
    measure: Measure,
    sites: Sequence[Site],
    scans: Mapping[str, Sequence[ScanEstimate]],
) -> Figure:
    """One line a site: mean with its 95 % interval, and every scan's own value."""
    figure, axes = canvas(3.7, 1.1 + 0.45 * len(sites))
    for place, (site, colour) in enumerate(zip(sites, cycle(COLOURS), strict=False)):
        own = [measure.of_scan(one.vector) for one in scans.get(site.label, ())]
        known = [value for value in own if np.isfinite(value)]
        heights = place + np.linspace(-0.22, 0.22, max(len(known), 2))[: len(known)]
        axes.scatter(known, heights, s=20, color=colour, alpha=0.65, linewidth=0)
        found = measure.of_site(site)
        ends = [[found.value - found.low], [found.high - found.value]]
        is_known = np.isfinite(ends).all()
        axes.errorbar(
            [found.value],
            [place],
            xerr=ends if is_known else None,
            fmt="D",
            markersize=6,
            color=INK,
            capsize=4,
            elinewidth=1.6,
        )
    axes.set_yticks(range(len(sites)), [plain(site.label) for site in sites])
    axes.set_ylim(len(sites) - 0.5, -0.5)
    axes.set_xlabel(measure.axis)
    axes.margins(x=0.08)
    return figure


def spectra_plot(found: MeanSpectra, a: str, b: str) -> Figure:
    """Mean power by spatial frequency: before, after, as it should be; and how far off.

    The lower panel is the upper one less the spectrum of B, where differences that
    many decibels hide can be seen.
    """
    figure, axes = canvas(4.4, 4.4)
    with rc_context(STYLE):
        axes.remove()
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    lines = (
        (found.a, f"{a}, real", COLOURS[0], "-"),
        (found.corrupted, f"{a} as {b}", COLOURS[1], "--"),
        (found.b, f"{b}, real", INK, "-"),
    )
    for values, label, colour, style in lines:
        shown = DECIBEL * np.array(values)
        axes.plot(found.per_mm, shown, style, color=colour, lw=1.8, label=plain(label))
        below.plot(
            found.per_mm,
            shown - DECIBEL * np.array(found.b),
            style,
            color=colour,
            lw=1.8,
        )
    axes.set_ylabel("power per mode, dB")
    below.set_ylabel(plain(f"over {b}, dB"))
    below.set_xlabel("spatial frequency, 1/mm")
    legend(figure, axes)
    return figure


def quantile_plot(found: Quantiles) -> Figure:
    """Deciles of corrupt(A), filled, and of A, hollow, against those of B.

    No numbers on the axes: both have one scale, and what counts is the diagonal.
    """
    a, moved, b = (np.array(row) for row in found)
    low, high = (float(end(found)) for end in (np.min, np.max))
    margin = 0.06 * max(high - low, 1e-6)
    with rc_context(STYLE):
        figure = Figure(figsize=(1.7, 1.7))
        axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    axes.axline((low, low), slope=1, color=SOFT, linewidth=1, linestyle="--")
    axes.plot(a, b, "o", mfc="none", color=COLOURS[0], markersize=4.5)
    axes.plot(moved, b, "o", color=COLOURS[1], markersize=4.5)
    axes.set(
        xlim=(low - margin, high + margin),
        ylim=(low - margin, high + margin),
        xticks=[],
        yticks=[],
    )
    return figure
