"""Principal components as an encoder: linear, fitted in seconds, unaware of sites.

The probabilistic form (Tipping & Bishop 1999, doi:10.1111/1467-9868.00196) gives every
code a posterior spread, so that samples can be probed as those of a VAE are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medvae.model.detail import BANDS
from medvae.volume import Grid

Image = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """An `EncoderLike` without a network.

    Args:
        grid: The training grid.
        centre: (voxels,) mean of the training scans.
        axes: (q, voxels) orthonormal.
        variance: (q,) along the axes.
        scale: Standard deviation of what the axes leave out, reference units.
    """

    grid: Grid
    centre: NDArray[np.float32]
    axes: NDArray[np.float32]
    variance: NDArray[np.float64]
    scale: float
    sites: Sequence[str] = ()

    @property
    def likelihood(self) -> str:
        """That of the probabilistic form."""
        return "gaussian"

    @property
    def detail(self) -> Tensor:
        """All of it: there is no other site to be painted for."""
        return torch.ones(BANDS)

    def within_field_of_view(self, x: Tensor, /, site: str | None) -> Tensor:
        """The volumes themselves: no site is painted for."""
        del site
        return x

    def encode_batch(self, x: Tensor, /) -> tuple[Tensor, Tensor]:
        """Posterior mean and std of the codes, (B, q, 1, 1, 1)."""
        flat = x.numpy().reshape(len(x), -1) - self.centre
        signal = np.maximum(self.variance - self.scale**2, 1e-12)
        whole = signal + self.scale**2
        mean = flat @ self.axes.T * (np.sqrt(signal) / whole)
        std = np.broadcast_to(self.scale / np.sqrt(whole), mean.shape)
        shape = (len(x), -1, 1, 1, 1)
        return (
            torch.from_numpy(mean.reshape(shape)).float(),
            torch.from_numpy(std.reshape(shape).copy()).float(),
        )

    def decode_batch(self, z: Tensor, /, site: str | None) -> Tensor:
        """The image that best explains the code; there is but one, for every site.

        Least squares, as a PCA decodes: without the posterior's shrinkage.
        """
        if site is not None:
            raise ValueError(f"principal components know no site, got {site!r}")
        signal = np.maximum(self.variance - self.scale**2, 1e-12)
        whole = signal + self.scale**2
        code = z.numpy().reshape(len(z), -1) * whole / np.sqrt(signal)
        image = self.centre + code @ self.axes
        return torch.from_numpy(image.reshape(len(z), 1, *self.grid.shape)).float()


def fit_pca(
    training: Sequence[Image],
    validation: Sequence[Image],
    grid: Grid,
    components: int,
) -> PrincipalComponents:
    """Fit on training scans; the residual spread is that of validation scans.

    Args:
        training: (X, Y, Z) each.
        validation: The same; the training scans if empty.
        grid: Their grid.
        components: How many; no more than training scans less one.

    Raises:
        ValueError: Fewer than two training scans, or no component asked for.
    """
    if len(training) < 2 or components < 1:
        raise ValueError(
            f"PCA needs two scans and a component, got {len(training)}, {components}"
        )
    x = np.stack([np.asarray(v, dtype=np.float32).ravel() for v in training])
    centre = x.mean(axis=0)
    x -= centre
    values, vectors = np.linalg.eigh((x @ x.T).astype(np.float64))
    q = min(components, len(x) - 1)
    values, vectors = values[::-1][:q], vectors[:, ::-1][:, :q]
    kept = values > 1e-10 * max(float(values[0]), 1e-300)
    values, vectors = values[kept], vectors[:, kept]
    axes = (vectors / np.sqrt(values)).T.astype(np.float32) @ x
    unseen = np.stack([np.asarray(v).ravel() for v in validation or training]) - centre
    left = unseen - (unseen @ axes.T) @ axes
    scale = float(np.sqrt(max(np.mean(left.astype(np.float64) ** 2), 1e-12)))
    variance = values / (len(x) - 1)
    return PrincipalComponents(grid, centre, axes, variance, scale)
