"""The same head in the same place, imaged by another scanner: what a scan could be.

Only a phantom knows this. It is the corruption that a fitted noise tries to imitate,
and so the ceiling that it is measured against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from medvae.errors import UserError
from medvae.inputs import checked, read_record
from medvae.phantom.acquire import Acquisition, Day, acquire
from medvae.phantom.anatomy import Anatomy, anatomy, subject_rng
from medvae.phantom.dataset import TRUTH, Recipe, scan_rng
from medvae.phantom.scanners import Scanner, scanner

# Log-std of what a random scanner changes of the one it starts from.
SPREAD = {
    "noise": 0.5,
    "non_uniformity": 0.4,
    "effective_flip_deg": 0.2,
    "effective_inversion_s": 0.15,
}
WIDTHS = 0.35
LEAST_INVERSION_S = 0.5


def read_recipe(root: Path) -> Recipe:
    """How the phantom at ``root`` was made.

    Raises:
        UserError: ``root`` is no phantom, or its recipe is damaged.
    """
    path = root / TRUTH / "phantom.json"
    if not path.is_file():
        raise UserError(
            f"{path} not found: only a phantom knows its true scanners. Make one with: "
            "medvae phantom, or leave the oracle out."
        )
    remedy = "Make the phantom again."
    return checked(Recipe, read_record(path, remedy), path, remedy)


def head_of(recipe: Recipe, subject: str) -> Anatomy:
    """The anatomy that the data set's scans of a subject show."""
    return anatomy(recipe.seed, subject, spacing_mm=recipe.voxel_scale)


def reimage(
    head: Anatomy, recipe: Recipe, subject: str, site: str, machine: Scanner, name: str
) -> Acquisition:
    """Image a subject as it lay at ``site``, by another scanner.

    Position and turn of the head are those of the scan in the data set, so both images
    agree in world millimetres; noise, gain and fields are drawn anew.

    Args:
        head: Of the subject; see `head_of`.
        recipe: Of the data set.
        subject: Who.
        site: Where the scan of the data set was made.
        machine: The other scanner, at its own voxel size.
        name: Of this view; it seeds the noise.

    Example:
        >>> recipe = Recipe(("NYU", "KKI"), 1, 0, seed=0, voxel_scale=8.0)
        >>> head = head_of(recipe, "NYU01")
        >>> view = reimage(head, recipe, "NYU01", "NYU", scanner("KKI"), "KKI")
        >>> own = acquire(head, scanner("NYU").scaled(8), scan_rng(0, "NYU01", "NYU"))
        >>> view.truth["shift_mm"] == own.truth["shift_mm"]
        True
    """
    scale = recipe.voxel_scale
    there = Day.draw(scanner(site).scaled(scale), scan_rng(recipe.seed, subject, site))
    rng = subject_rng(recipe.seed, subject, "view", site, name)
    here = Day.draw(machine, rng)
    placed = replace(here, rotation_deg=there.rotation_deg, shift_mm=there.shift_mm)
    return acquire(head, machine.scaled(scale), rng, day=placed)


def random_scanner(like: Sequence[str], rng: np.random.Generator) -> Scanner:
    """A scanner that no site has: one of ``like`` with its settings moved.

    Noise, shading, flip angle, inversion time, voxel size and blur are multiplied by
    log-normal factors (see ``SPREAD`` and ``WIDTHS``), about as wide as the differences
    between the sites of the table, so that unseen sites lie inside.

    Args:
        like: Sites to start from.
        rng: Source of every draw.

    Example:
        >>> drawn = random_scanner(["NYU"], np.random.default_rng(0))
        >>> drawn.site, drawn.noise != scanner("NYU").noise
        ('NYU', True)
    """
    base = scanner(like[int(rng.integers(len(like)))])
    factors = {k: float(np.exp(s * rng.standard_normal())) for k, s in SPREAD.items()}
    wider = np.exp(WIDTHS * rng.standard_normal(3))
    smoother = np.exp(WIDTHS * rng.standard_normal(3))
    extent = np.multiply(base.matrix, base.voxel_mm)
    voxel = np.round(np.multiply(base.voxel_mm, np.clip(wider, 0.7, 2.0)), 3)
    blur = np.round(np.multiply(base.blur_mm, smoother), 3)
    x, y, z = (max(8, round(n)) for n in extent / voxel)
    inversion = base.effective_inversion_s
    if inversion is not None:
        inversion *= factors["effective_inversion_s"]
        inversion = max(inversion, LEAST_INVERSION_S)
    return replace(
        base,
        matrix=(x, y, z),
        voxel_mm=(float(voxel[0]), float(voxel[1]), float(voxel[2])),
        blur_mm=(float(blur[0]), float(blur[1]), float(blur[2])),
        noise=base.noise * factors["noise"],
        non_uniformity=base.non_uniformity * factors["non_uniformity"],
        effective_flip_deg=base.effective_flip_deg * factors["effective_flip_deg"],
        effective_inversion_s=inversion,
    )
