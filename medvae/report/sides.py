"""Which side is which: every picture has the patient's left on its left.

That is the neurological convention. Volumes lie in memory as RAS+ (x to the patient's
right, y to the front, z to the top), whatever the file's affine, so that a plane turned
by a quarter shows left on the left, and the nose up or to the right. Radiologists look
from the feet and have left on the right: so the letters are on every picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Sides = tuple[str, str]

PLANES: dict[str, tuple[int, Sides]] = {
    "axial": (2, ("L", "R")),
    "coronal": (1, ("L", "R")),
    "sagittal": (0, ("P", "A")),
}
"""The axis that each is normal to, and the letters at its left and right."""

LEFT_RIGHT = "L, R: the patient's left and right."
LEGEND = f"{LEFT_RIGHT} P, A: back and front."


def turned(plane: NDArray[np.floating]) -> NDArray[np.floating]:
    """A plane (across, up) of an RAS+ volume as rows of a picture, the first on top.

    Example:
        >>> turned(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [[2.0, 4.0], [1.0, 3.0]]
    """
    return np.rot90(plane)


def mark(axes: Axes, sides: Sides) -> None:
    """Write the letters into the lower corners of a picture.

    Args:
        axes: That show a `turned` plane.
        sides: Letters for its left and right; see `PLANES`.
    """
    from matplotlib.patheffects import withStroke

    rim = [withStroke(linewidth=2, foreground="black")]
    for letter, x, where in zip(sides, (0.03, 0.97), ("left", "right"), strict=True):
        axes.text(
            *(x, 0.03, letter),
            ha=where,
            va="bottom",
            color="white",
            fontsize=10,
            path_effects=rim,
            transform=axes.transAxes,
        )
