"""A scan as another scanner would have made it, with its own detail kept.

Decision (2026-11): a code is small, and what is painted from it is blurred. So a scan
is changed by the difference of two paintings of its code, ``x + dec(z, to) - dec(z,
from)``. What the code does not hold stays as it was, at full resolution; so do noise
and sharpness. On travelers of a phantom a short training decoded to something farther
from the other scanner's real scan than the scan itself; the difference came nearer
(docs/generalisation.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.spatialimages import SpatialImage

from medvae.encoding.latent import Latent
from medvae.volume import Volume, read_volume
from medvae.volume.nifti import nifti_image

if TYPE_CHECKING:
    from medvae.encoding.encoder import Encoder

_TISSUE = 0.1  # reference units; darker is air


@dataclass(frozen=True)
class Repainted:
    """A scan as another site would have made it.

    Args:
        image: On the scan's own grid and in its own units.
        source: The training site that it was taken to come from.
        changed: Whether any voxel differs from the scan's.
    """

    image: nib.Nifti1Image
    source: str
    changed: bool


def repaint(
    encoder: Encoder,
    scan: Path | SpatialImage,
    latent: Latent,
    to: str,
    made_at: str | None = None,
) -> Repainted:
    """A scan plus what the model takes to be the difference between two sites.

    Args:
        encoder: The model.
        scan: What ``latent`` is the code of.
        latent: What the encoder made of it.
        to: The training site to imitate.
        made_at: The training site that made the scan; by default the likeliest.

    Returns:
        A float32 image, never negative, and what it was made from.

    Raises:
        UserError: The scan cannot be read, or the decoder does not know a site.
    """
    volume = read_volume(scan)
    wanted = encoder.paint(latent, to)
    if made_at is None:
        source, had = nearest(encoder, volume, latent)
    else:
        source, had = made_at, encoder.paint(latent, made_at)
    native = latent.placement.to_native(wanted - had) * np.float32(latent.reference)
    after = np.maximum(volume.data + native, 0, dtype=np.float32)
    data = latent.source.restore(after)
    image = nifti_image(data, latent.source.affine, np.float32)
    return Repainted(image, source, bool((after != volume.data).any()))


def nearest(
    encoder: Encoder, volume: Volume, latent: Latent
) -> tuple[str, npt.NDArray[np.float32]]:
    """The training site whose painting of a code is nearest to the scan, and that.

    A scan of any other hospital is taken for one of the known scanner most like its
    own. On the latent's grid, in reference units.
    """
    seen = latent.placement.to_grid(volume.data) / latent.reference
    tissue = seen > _TISSUE

    def error(painted: npt.NDArray[np.float32]) -> float:
        return float(np.square(painted - seen)[tissue].mean())

    painted = ((site, encoder.paint(latent, site)) for site in encoder.sites)
    return min(painted, key=lambda one: error(one[1]))
