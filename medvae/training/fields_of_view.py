"""Where the training scans of every site end, found once training is over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from medvae.model.field_of_view import AT_MOST, typical_faces
from medvae.model.network import NetworkConfig
from medvae.training.data import Entry, Volumes


def fields_of_view(
    entries: Sequence[Entry],
    volumes: Volumes,
    sites: Sequence[str],
    network: NetworkConfig,
) -> Tensor:
    """Faces of each site's scans on the training grid, mm, (sites, axes, 2).

    Args:
        entries: The training scans.
        volumes: Their prepared volumes.
        sites: In the order of the decoder's.
        network: Whose grid it is.
    """
    found = []
    for site in sites:
        own = [entry.index for entry in entries if entry.site == site]
        spread = np.linspace(0, len(own) - 1, min(len(own), AT_MOST)).round()
        images = (
            torch.from_numpy(np.array(volumes.image(own[int(k)]), np.float32))
            for k in spread
        )
        found.append(typical_faces(images, network.spacing_mm))
    return torch.stack(found)
