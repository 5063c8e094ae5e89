"""The arms of a comparison in one figure: what each measure came to, with intervals."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes

from measured.cells import Result
from medvae.files import atomic_path

mpl.use("Agg")
from matplotlib import pyplot as plt

FAMILIES = {
    "no corruption": (("none", "nyul", "pca", "combat"), "tab:gray"),
    "unfitted noise": (
        ("gaussian", "salt_and_pepper", "randomised", "randomised_full"),
        "tab:orange",
    ),
    "fitted noise": (
        ("scanner", "scanner_wide", "scanner_many", "scanner_fitted"),
        "tab:blue",
    ),
    "true scanners": (("oracle",), "tab:green"),
    "along ten axes of people": (
        ("none_axes", "randomised_axes", "scanner_axes", "oracle_axes"),
        "tab:purple",
    ),
}
PANELS = {
    "transfer.with_detail": "harmonised error\n(dashed: left alone)",
    "reconstruction.z_scored_error_held_out": "own error",
    "leakage.auc_rbf_sample": "AUC of the site\n(dashed: chance)",
}


def draw_arms(found: Result, path: Path) -> None:
    """A panel for every measure, a line for every arm of `FAMILIES` that is there."""
    rows = [
        (name, family, colour)
        for family, (names, colour) in FAMILIES.items()
        for name in names
        if name in found["arms"]
    ]
    figure, axes = plt.subplots(
        1, len(PANELS), figsize=(10, 0.26 * len(rows) + 1.4), sharey=True
    )
    for axis, (key, title) in zip(axes, PANELS.items(), strict=True):
        _panel(axis, found["arms"], rows, key)
        axis.set_title(title, fontsize=9)
    nothing = found["arms"]["none"]["transfer.do_nothing"]["mean"]
    axes[0].axvline(nothing, color="black", linestyle="--", linewidth=0.8)
    axes[-1].axvline(0.5, color="black", linestyle="--", linewidth=0.8)
    axes[0].set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=8)
    axes[0].invert_yaxis()
    handles, words = axes[0].get_legend_handles_labels()
    figure.legend(handles, words, loc="lower center", ncols=len(words), fontsize=8)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=110)
    plt.close(figure)


def _panel(
    axis: Axes, arms: Result, rows: list[tuple[str, str, str]], key: str
) -> None:
    named = set()
    for line, (name, family, colour) in enumerate(rows):
        number = arms[name][key]
        low, high = number["ci95"]
        label = None if family in named else family
        named.add(family)
        axis.hlines(line, low, high, color=colour, linewidth=2)
        axis.plot(number["mean"], line, "o", color=colour, markersize=4, label=label)
    axis.grid(axis="x", linewidth=0.3)
    axis.tick_params(axis="x", labelsize=8)
