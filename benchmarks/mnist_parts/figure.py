"""The study in one figure: does noise help, when, and for which inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

from medvae.files import atomic_path

mpl.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {
    "salt_and_pepper": "tab:blue",
    "pepper": "tab:orange",
    "gaussian": "tab:green",
}
PROPOSALS = {"nll": "the clean-input encoder", "nll_refined": "fitted to each image"}
SHOWN = (
    "vae",
    "dvae_salt_and_pepper_0.1",
    "dvae_salt_and_pepper_0.4",
    "dvae_pepper_0.1",
    "dvae_gaussian_0.4",
)

Row = dict[str, Any]


def draw(found: dict[str, Any], path: Path) -> None:
    """NLL against the VAE's at every level and size; curves; corrupted inputs."""
    rows: list[Row] = found["arms"]
    sizes = sorted({r["train_size"] for r in rows if r["name"].startswith("dvae_")})
    if not sizes:
        return
    columns = len(sizes) + 1
    figure, axes = plt.subplots(2, columns, figsize=(4.2 * columns, 7), squeeze=False)
    for column, size in enumerate(sizes):
        for line, (key, proposal) in enumerate(PROPOSALS.items()):
            axis = axes[line][column]
            _levels(axis, [r for r in rows if r["train_size"] == size], key)
            axis.set_title(f"{size} training images\nproposal: {proposal}", fontsize=9)
    _curves(axes[0][-1], found["curves"], sizes[0])
    _inputs(axes[1][-1], [r for r in rows if r["train_size"] == sizes[0]])
    figure.tight_layout()
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=110)
    plt.close(figure)


def _levels(axis: Axes, rows: list[Row], key: str) -> None:
    for stopping, style in (("best", "-"), ("end", "--")):
        for noise, colour in COLOURS.items():
            found = [r for r in rows if r["stopping"] == stopping]
            found = [r for r in found if r["name"] == f"dvae_{noise}_{r['level']:g}"]
            found.sort(key=lambda r: r["level"])
            if not found:
                continue
            gain = [r["minus_vae"][key] for r in found]
            axis.errorbar(
                [r["level"] for r in found],
                [g["mean"] for g in gain],
                [g["mean"] - g["ci95"][0] for g in gain],
                color=colour,
                linestyle=style,
                marker="o",
                markersize=3,
                capsize=2,
                label=f"{noise.replace('_', ' ')}, {stopping}",
            )
    axis.axhline(0, color="grey", linewidth=0.8)
    axis.set_xlabel("noise level")
    axis.set_ylabel("test NLL minus the VAE's, nats")
    axis.legend(fontsize=6)


def _curves(axis: Axes, curves: list[Row], size: int) -> None:
    for curve in curves:
        if curve["train_size"] == size and curve["name"] in SHOWN:
            axis.plot(curve["step"], curve["validation_nll"], label=curve["name"])
    axis.set_xscale("log")
    axis.set_ylim(top=200)
    axis.set_xlabel("step")
    axis.set_ylabel("validation NLL, nats")
    axis.set_title(f"{size} training images", fontsize=9)
    axis.legend(fontsize=6)


def _inputs(axis: Axes, rows: list[Row]) -> None:
    for row in rows:
        if row["stopping"] != "best" or row["name"] not in SHOWN:
            continue
        inputs = row["elbo_by_input"]
        values = [value["mean"] for value in inputs.values()]
        axis.plot(range(len(inputs)), values, marker=".", label=row["name"])
        names = [name.replace("_", " ") for name in inputs]
        axis.set_xticks(range(len(inputs)), names, rotation=90, fontsize=6)
    axis.set_ylabel("bound on the clean image, nats")
    axis.set_title("corrupted input, best on validation", fontsize=9)
    axis.legend(fontsize=6)
