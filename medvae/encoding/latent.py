"""The code of one scan, and where in the world its places lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from medvae.version import __version__
from medvae.volume import Placement, Source

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Latent:
    """The posterior over codes of one scan.

    Args:
        mean: (C, x, y, z), float32. A ``vector`` model has x = y = z = 1.
        std: Standard deviations, the same shape.
        placement: Where the grid lies in the scan.
        source: How the scan lay on disk, so that a decoded image can lie likewise.
        reference: What an intensity of 1 is, in the scan's own units.
        name: The scan's file name, or ``image`` for one that has none.
        digest: SHA-256 of the scan's file, if it came from one, and of its mask's.
        model: SHA-256 of the weights that made the code, if they came from a file.
    """

    mean: FloatArray
    std: FloatArray
    placement: Placement
    source: Source
    reference: float
    name: str = "image"
    digest: str | None = None
    model: str | None = None

    @property
    def vector(self) -> FloatArray:
        """The mean as one row of features, (C * x * y * z,)."""
        return self.mean.reshape(-1)

    def sample(self, rng: np.random.Generator | int | None = None) -> FloatArray:
        """One draw from the posterior, (C, x, y, z).

        Args:
            rng: A generator or a seed; ``None`` draws anew every time.
        """
        noise = np.random.default_rng(rng).standard_normal(
            self.mean.shape, dtype=np.float32
        )
        return self.mean + self.std * noise

    @property
    def provenance(self) -> dict[str, Any]:
        """What the code was made from and with, as plain values for JSON."""
        return {
            "GeneratedBy": [{"Name": "medvae", "Version": __version__}],
            "scan": self.name,
            "scan_digest": self.digest,
            "model_digest": self.model,
            "reference": self.reference,
            "placement": self.placement.as_dict(),
            "source": self.source.as_dict(),
        }

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """World position (mm) of the latent map's places.

        One place covers ``stride`` voxels of the grid, so its centre lies half a place
        less half a voxel inside.
        """
        grid = self.placement.grid
        places = np.array(self.mean.shape[1:], dtype=float)
        stride = np.array(grid.shape) / places
        scale = np.eye(4)
        scale[:3, :3] = np.diag(stride)
        scale[:3, 3] = (stride - 1) / 2
        return np.asarray(self.placement.grid_affine @ scale)

    def to_nifti(self, part: str = "mean") -> nib.Nifti1Image:
        """The mean (or ``std``) as a 4-D image (x, y, z, C) in the scan's world space.

        Raises:
            ValueError: Neither ``mean`` nor ``std`` is asked for.
        """
        if part not in ("mean", "std"):
            raise ValueError(f"part must be 'mean' or 'std', got {part!r}.")
        values = self.mean if part == "mean" else self.std
        image = nib.Nifti1Image(np.moveaxis(values, 0, -1), self.affine)
        image.header.set_xyzt_units("mm")
        return image

    def __repr__(self) -> str:
        """The scan's name and the shape of its code."""
        return f"Latent({self.name!r}, shape={self.mean.shape})"

    def _repr_html_(self) -> str:
        """The code as a notebook shows it: what it is, and its first channels."""
        from medvae.report.notebook import pictures, table

        size = " × ".join(f"{step:.3g}" for step in np.linalg.norm(self.affine, axis=0))
        told = {
            "shape": " × ".join(map(str, self.mean.shape)),
            "place (mm)": size.rpartition(" × ")[0],
            "mean |mean|": f"{np.abs(self.mean).mean():.3g}",
            "mean std": f"{self.std.mean():.3g}",
            "model": (self.model or "not from a file")[:12],
        }
        shown = {
            f"channel {i}": channel
            for i, channel in enumerate(self.mean[:4])
            if min(channel.shape) > 1
        }
        return table(f"Latent of {self.name}", [told]) + pictures(shown)
