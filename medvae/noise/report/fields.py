"""Maps of the fitted shading on the MNI152 brain that nilearn ships."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from matplotlib import rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from medvae.report.canvas import INK, SOFT, STYLE
from noise_models.scanner.contrasts import site_field
from noise_models.scanner.sites import Site

# Of the template in mm: between the temples, and 85 mm below the vertex, as `head`
# places the centre of a scan.
HEAD_CENTRE_MM = (0.0, -17.0, 5.0)
STEP_MM = 2
CUTS_MM = (0.0, -17.0, 12.0)  # sagittal, coronal, axial
_EDGES = (("back", "front"), ("left", "right"), ("left", "right"))


@dataclass(frozen=True)
class _Plane:
    """A cut through the template: places of its pixels, its brain, its picture."""

    places_mm: NDArray[np.float64]
    brain: NDArray[np.bool_]
    grey: NDArray[np.float64]


def percent_field(site: Site, against: Site | None = None) -> list[NDArray[np.float64]]:
    """Shading in three planes, percent; over that of another site when given.

    Sagittal, coronal, axial; nan outside the brain.
    """
    found = []
    for plane in _planes():
        places = plane.places_mm[plane.brain]
        field = site_field(site, places)
        if against is not None:
            field = field - site_field(against, places)
        shown = np.full(plane.brain.shape, np.nan)
        shown[plane.brain] = 100 * np.expm1(field)
        found.append(shown)
    return found


def field_plot(planes: list[NDArray[np.float64]], limit: float) -> Figure:
    """Three planes over the outline of the brain, in one colour scale.

    Args:
        planes: From `percent_field`.
        limit: End of the scale, percent.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.3), layout="constrained")
        axes = figure.subplots(1, 3)
        for axis, plane, values, edges in zip(
            axes, _planes(), planes, _EDGES, strict=True
        ):
            drawn = ScalarMappable(Normalize(-limit, limit), "RdBu_r")
            paint = drawn.to_rgba(np.nan_to_num(values))
            light = plane.grey / plane.grey.max()
            paint[..., :3] *= 0.75 + 0.25 * light[..., None]  # anatomy shows through
            paint[..., 3] = plane.brain
            axis.imshow(paint.swapaxes(0, 1), origin="lower")
            axis.contour(plane.brain.T, levels=[0.5], colors=INK, linewidths=0.9)
            axis.set_xticks([0.12 * len(values), 0.88 * len(values)], edges)
            axis.tick_params(labelsize=9, length=0, colors=SOFT)
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
        bar = figure.colorbar(drawn, ax=list(axes), orientation="horizontal")
        bar.ax.tick_params(labelsize=9)
        bar.set_label("% of the brain's mean", fontsize=10)
    return figure


@lru_cache(maxsize=1)
def _planes() -> tuple[_Plane, ...]:
    from nilearn import datasets

    brain = datasets.load_mni152_brain_mask(resolution=STEP_MM)
    grey = np.asarray(datasets.load_mni152_template(resolution=STEP_MM).dataobj)
    inside = np.asarray(brain.dataobj) > 0
    origin = np.asarray(brain.affine)[:3, 3]
    found = []
    for axis, cut in enumerate(CUTS_MM):
        index = round((cut - origin[axis]) / STEP_MM)
        voxels = np.moveaxis(np.indices(inside.shape), 0, -1).take(index, axis)
        places = voxels * STEP_MM + origin - np.array(HEAD_CENTRE_MM)
        found.append(_Plane(places, inside.take(index, axis), grey.take(index, axis)))
    return tuple(found)
