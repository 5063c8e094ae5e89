"""The study in one figure: does noise help, and when does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

from medvae.files import atomic_path

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

COLOURS = {
    "salt_and_pepper": "tab:blue",
    "pepper": "tab:orange",
    "gaussian": "tab:green",
}


def draw(found: dict[str, Any], path: Path) -> None:
    """NLL against noise level at every training size; robustness of the smallest."""
    sizes = sorted({row["train_size"] for row in found["arms"]})
    if not sizes:
        return
    columns = len(sizes) + 1
    figure, axes = plt.subplots(1, columns, figsize=(4.2 * columns, 4), squeeze=False)
    for axis, size in zip(axes[0], sizes, strict=False):
        _levels(axis, [row for row in found["arms"] if row["train_size"] == size])
        axis.set_title(f"{size} training images")
    _inputs(axes[0][-1], [r for r in found["arms"] if r["train_size"] == sizes[0]])
    figure.tight_layout()
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=110)
    plt.close(figure)


def _levels(axis: Axes, rows: list[dict[str, Any]]) -> None:
    for stopping, style in (("best", "-"), ("end", "--")):
        for noise, colour in COLOURS.items():
            found = [
                r
                for r in rows
                if r["stopping"] == stopping
                and (r["name"].startswith(f"dvae_{noise}") or r["name"] == "vae")
            ]
            found.sort(key=lambda r: r["level"])
            nll = [r["nll_refined"] for r in found]
            axis.errorbar(
                [r["level"] for r in found],
                [n["mean"] for n in nll],
                [n["mean"] - n["ci95"][0] for n in nll],
                color=colour,
                linestyle=style,
                marker="o",
                markersize=3,
                capsize=2,
                label=f"{noise.replace('_', ' ')}, {stopping}",
            )
    axis.set_xlabel("noise level (0: the VAE)")
    axis.set_ylabel("test NLL, nats, proposal fitted to each image")
    axis.legend(fontsize=6)


def _inputs(axis: Axes, rows: list[dict[str, Any]]) -> None:
    shown = [r for r in rows if r["stopping"] == "best" and r["objective"] == "dvae"]
    shown = [r for r in shown if r["level"] in (0.1, 0.4) and r["M"] * r["K"] == 1]
    shown = [r for r in rows if r["name"] == "vae" and r["stopping"] == "best"] + shown
    for row in shown:
        inputs = row["elbo_by_input"]
        axis.plot(
            range(len(inputs)),
            [value["mean"] for value in inputs.values()],
            marker=".",
            label=row["name"],
        )
        names = [name.replace("_", " ") for name in inputs]
        axis.set_xticks(range(len(inputs)), names, rotation=90, fontsize=6)
    axis.set_ylabel("bound on the clean image, nats")
    axis.set_title("what a corrupted input costs")
    axis.legend(fontsize=6)
