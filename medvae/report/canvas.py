"""One look for all plots. Small and plain, so that they survive a phone's width."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#1d2b36"
INK_ON_DARK = "#e7ecee"
SOFT = "#8a97a3"
# Okabe & Ito's palette, told apart by most colour-blind readers.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a00")
MARKERS = ("o", "s", "^", "D", "v", "P")  # with seven colours, 42 are told apart
STYLE: Any = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "legend.frameon": False,
    "legend.fontsize": 9.5,
}


def canvas(width: float = 4.4, height: float = 3.5) -> tuple[Figure, Axes]:
    """An empty plot; sizes in inches.

    Example:
        >>> figure, axes = canvas(3, 2)
        >>> figure.get_size_inches().tolist()
        [3.0, 2.0]
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        axes.tick_params(labelsize=10)
    return figure, axes


def legend(figure: Figure, axes: Axes) -> None:
    """Above the plot, where it can hide no point."""
    handles, labels = axes.get_legend_handles_labels()
    with rc_context(STYLE):
        figure.legend(
            handles,
            labels,
            loc="outside upper left",
            ncols=min(len(labels), 3),
            handletextpad=0.4,
            columnspacing=1.2,
        )


@contextmanager
def any_letters() -> Iterator[None]:
    """Letters that the font lacks are drawn as boxes, of which nobody complains."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def plain(text: str) -> str:
    """A label as it was written: no formula in it, and never left out of a legend.

    Example:
        >>> plain("_a"), plain("$b") == chr(92) + "$b"
        (' _a', True)
    """
    shown = text.replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown
