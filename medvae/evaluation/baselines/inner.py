"""What baselines share that put something around another encoder."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from medvae.evaluation.latents import EncoderLike, GridLike


class AroundEncoder:
    """Sites, grid, likelihood and all else of the encoder inside.

    Args:
        inner: The encoder that is put something around.
    """

    def __init__(self, inner: EncoderLike) -> None:
        self.inner = inner

    @property
    def sites(self) -> Sequence[str]:
        return self.inner.sites

    @property
    def grid(self) -> GridLike:
        return self.inner.grid

    @property
    def likelihood(self) -> str:
        return self.inner.likelihood

    @property
    def scale(self) -> float:
        return self.inner.scale

    @property
    def detail(self) -> Tensor:
        return self.inner.detail

    def within_field_of_view(self, x: Tensor, /, site: str | None) -> Tensor:
        return self.inner.within_field_of_view(x, site)
