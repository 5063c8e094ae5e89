"""An encoder whose codes are read along axes of people; see `medvae.encoding.axes`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from medvae.encoding.axes import PersonAxes
from medvae.evaluation.baselines.inner import AroundEncoder
from medvae.evaluation.latents import EncoderLike


class AxesEncoder(AroundEncoder):
    """Codes are coordinates along the axes; what is decoded has its nuisance at rest.

    Args:
        inner: The encoder whose codes are read.
        axes: Fitted to its codes.
        shape: Of its codes, without the batch.
    """

    def __init__(
        self, inner: EncoderLike, axes: PersonAxes, shape: Sequence[int]
    ) -> None:
        super().__init__(inner)
        self.axes, self.shape = axes, tuple(shape)

    def encode_batch(self, x: Tensor, /) -> tuple[Tensor, Tensor]:
        """Posterior mean and std along the axes, (B, p, 1, 1, 1)."""
        mean, std = (
            part.cpu().double().flatten(1).numpy()
            for part in self.inner.encode_batch(x)
        )
        along, spread = self.axes.read(mean, std)
        shape = (*along.shape, 1, 1, 1)
        return (
            torch.from_numpy(along.reshape(shape)).float(),
            torch.from_numpy(spread.reshape(shape)).float(),
        )

    def decode_batch(self, z: Tensor, /, site: str | None) -> Tensor:
        """The image of the likeliest code."""
        code = torch.from_numpy(self.axes.code(z.flatten(1).double().numpy()))
        return self.inner.decode_batch(code.float().reshape(-1, *self.shape), site=site)
