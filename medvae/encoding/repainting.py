"""A scan as another scanner would have made it, with its own detail kept.

Decision (2026-11): a code is small, and what is painted from it is blurred. So what the
painting of a scan lacks is added to the painting for another site, as far as training
found it to be the head's own and not the scanner's (`medvae.model.detail`). What is
finer than the training grid stays as it was; so do noise and sharpness there. Air stays
the scan's own, and beyond the grid's faces, or where scans of the other site end, so
does the head (`medvae.encoding.fading`): of the rest alone a code is made
(`medvae.model.acquired_region`).

Before, the plain difference of two paintings was added, ``x + dec(z, to) - dec(z,
from)``, and an unseen scanner's contrast stayed; how far either comes is in
docs/generalisation.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import torch
from nibabel.spatialimages import SpatialImage
from torch import Tensor

from medvae.encoding.fading import share_of_image
from medvae.encoding.latent import Latent
from medvae.model.acquired_region import ended
from medvae.model.detail import kept
from medvae.volume import Placement, read_volume
from medvae.volume.foreground import foreground_mask
from medvae.volume.grid import Mask, head_centre_mm

if TYPE_CHECKING:
    from medvae.encoding.encoder import Encoder


@dataclass(frozen=True)
class Repainted:
    """A scan as another site would have made it.

    Args:
        image: On the scan's own grid and in its own units.
        changed: Whether any voxel differs from the scan's.
    """

    image: nib.Nifti1Image
    changed: bool


def repaint(
    encoder: Encoder,
    scan: Path | SpatialImage,
    latent: Latent,
    to: str,
    made_at: str | None = None,
) -> Repainted:
    """A scan's code painted for a site, with what the code lacks of the scan.

    Args:
        encoder: The model.
        scan: What ``latent`` is the code of.
        latent: What the encoder made of it.
        to: The training site to imitate.
        made_at: The training site that made the scan, if one did. A scan made at ``to``
            stays as it is.

    Returns:
        A float32 image, never negative in the head, and whether it was changed.

    Raises:
        UserError: The scan cannot be read, or the decoder does not know a site.
    """
    encoder.check_site(to)
    volume = read_volume(scan)
    after = volume.data
    if made_at != to:
        head = foreground_mask(volume.data, volume.spacing_mm)
        seen = latent.placement.to_grid(volume.data) / np.float32(latent.reference)
        faces = _faces(encoder, latent.placement, head, to)
        ends = ended(torch.from_numpy(seen)[None, None], faces)[0, 0].numpy()
        if (ends != seen).any():
            latent, seen = encoder.encode_again(latent, ends), ends
        lacking = torch.from_numpy(seen - encoder.paint(latent, made_at))
        spacing = latent.placement.grid.spacing_mm
        detail = kept(lacking, encoder.detail, spacing).numpy()
        change = encoder.paint(latent, to) + detail - seen
        native = latent.placement.to_native(change) * np.float32(latent.reference)
        share = share_of_image(head, latent.placement, faces.tolist())
        share[~head & (volume.data == 0)] = 0  # a background that was cut away
        changed = np.maximum(volume.data + native, 0, dtype=np.float32)
        after = share * changed + (1 - share) * volume.data
    image = latent.source.image(after)
    return Repainted(image, bool((after != volume.data).any()))


def _faces(encoder: Encoder, placement: Placement, head: Mask, to: str) -> Tensor:
    """Where scans of a site end on a grid laid over this head, in voxels, (3, 2)."""
    grid = encoder.grid
    centre = head_centre_mm(placement.native_affine, head, grid.extent_mm[2])
    into = np.linalg.inv(placement.grid_affine)
    middle = torch.from_numpy(into[:3, :3] @ centre + into[:3, 3]).float()
    step = torch.tensor(grid.spacing_mm)
    return encoder.faces(to) / step[:, None] + middle[:, None]
