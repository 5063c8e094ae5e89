"""A small untrained encoder, an honest one without a network, and heads to encode."""

import nibabel as nib
import numpy as np
import torch
from torch.nn import functional

from medvae.encoding import Encoder
from medvae.model.network import DenoisingVAE, NetworkConfig

STRIDE = 4


def head_image(affine=None, shape=(40, 44, 42), seed=0):
    """A ball of tissue with a darker core, noise, air around it."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    centre = (np.array(shape) - 1) / 2
    radius = np.linalg.norm((places - centre) / (0.4 * np.array(shape)), axis=-1)
    data = 600.0 * (radius < 1) - 200.0 * (radius < 0.4) + 8 * rng.random(shape)
    affine = np.diag([5.0, 5, 5, 1]) if affine is None else affine
    return nib.Nifti1Image(data.astype(np.int16), affine)


def config(**options):
    small = {
        "grid_shape": (24, 24, 24),
        "spacing_mm": (8.0, 8.0, 8.0),
        "channels": (4, 8),
        "latent_channels": 2,
        "sites": ("A", "B"),
    }
    return NetworkConfig(**(small | options))


def small_encoder(**options):
    torch.manual_seed(0)
    return Encoder(DenoisingVAE(config(**options)), model_digest="digest")


class Pooling(Encoder):
    """Means of blocks for a code and interpolation for a painter.

    What it returns is known, so that only the geometry is in question.
    """

    def __init__(self, **options):
        super().__init__(DenoisingVAE(config(latent_channels=1, **options)))

    def encode_batch(self, x):
        mean = functional.avg_pool3d(x, STRIDE)
        return mean, torch.ones_like(mean)

    def decode_batch(self, z, site=None):
        return functional.interpolate(z, scale_factor=STRIDE, mode="trilinear")
