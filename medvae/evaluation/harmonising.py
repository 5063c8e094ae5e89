"""A prepared scan as a training site would have made it, on the training grid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from medvae.evaluation.latents import EncoderLike
from medvae.model.detail import kept


@torch.inference_mode()
def harmonised(
    encoder: EncoderLike, x: Tensor, to: str, made_at: Sequence[str | None] = (None,)
) -> Tensor:
    """A scan painted for a site, with what its code lacks of it: a new volume.

    As `medvae.encoding.repainting` does it on a scan's own grid, before the image fades
    into the scan.

    Args:
        encoder: Knows the site.
        x: (1, 1, X, Y, Z), reference units.
        to: The training site to imitate. Beyond its field of view the scan stays.
        made_at: The training site that made the scan; None for a scan of none of them,
            whose own painting is that of the average site. Of several, the mean.
    """
    seen = encoder.within_field_of_view(x, to)
    z = encoder.encode_batch(seen)[0]
    own = torch.stack([encoder.decode_batch(z, site).to(x) for site in made_at]).mean(0)
    stays = kept(seen - own, encoder.detail, encoder.grid.spacing_mm)
    painted = torch.clamp(encoder.decode_batch(z, to).to(x) + stays, min=0)
    return torch.where((seen == 0) & (x != 0), x, painted)
