"""Normal numbers for whole volumes, on as many threads as there are.

Decision (2026-11): torch fills a tensor on one thread, and for magnitude noise that was
a third of all the time. Here the caller's generator gives a key, and every block of
`voxelwise` is drawn by a generator of its own, seeded with the key plus the number of
the block. So one seed is one noise, whatever the number of threads. The price: other
voxels than torch's own for the same seed, and keys of 32 bits, which is what torch's
Mersenne twister keeps of a seed in any case. A generator on another device draws there.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from noise_models.voxelwise import in_blocks

_SEEDS = 2**32


def draw_key(rng: Generator) -> int:
    """The key of all blocks of one draw, from a generator on the CPU."""
    return int(torch.randint(_SEEDS, (), generator=rng))


def fill_normal(out: Tensor, rng: Generator) -> Tensor:
    """Fill a contiguous float32 tensor (n, ...) with standard normals, in place.

    Args:
        out: On the device of ``rng``.
        rng: Where the randomness comes from.

    Example:
        >>> x = fill_normal(torch.empty(1, 50_000), torch.Generator().manual_seed(0))
        >>> abs(x.mean().item()) < 0.02, round(x.std().item(), 2)
        (True, 1.0)
    """
    if out.device.type != "cpu":
        return out.normal_(generator=rng)
    key, flat = draw_key(rng), out.view(len(out), -1)

    def work(volumes: slice, voxels: slice, number: int) -> None:
        _fill_block(flat[volumes, voxels], key, number)

    in_blocks(out, work)
    return out


def _fill_block(out: Tensor, key: int, number: int) -> Tensor:
    own = torch.Generator().manual_seed((key + number) % _SEEDS)
    return out.normal_(generator=own)


class Normals:
    """A standard normal for every voxel of a batch, drawn when its block is due.

    The numbers are those that `fill_normal` would draw. Where generator and batch are
    not both on the CPU, all are drawn at once.

    Args:
        like: Gives shape (n, ...), dtype and device.
        rng: Where the randomness comes from.

    Example:
        >>> like, rng = torch.empty(2, 9), torch.Generator()
        >>> whole = fill_normal(torch.empty(2, 9), rng.manual_seed(1))
        >>> part = Normals(like, rng.manual_seed(1)).block(slice(0, 2), slice(0, 9), 0)
        >>> torch.equal(part, whole)
        True
    """

    def __init__(self, like: Tensor, rng: Generator) -> None:
        self.like = like.flatten(1)
        self.drawn: Tensor | None = None
        if rng.device.type == "cpu" and like.device.type == "cpu":
            self.key = draw_key(rng)
        else:
            size = self.like.shape
            self.drawn = fill_normal(torch.empty(size, device=rng.device), rng).to(like)

    def block(self, volumes: slice, voxels: slice, number: int) -> Tensor:
        """The numbers of one block, a tensor of the caller's own."""
        if self.drawn is not None:
            return self.drawn[volumes, voxels]
        shape = self.like[volumes, voxels].shape
        return _fill_block(torch.empty(shape), self.key, number).to(self.like.dtype)


def magnitude(
    x: Tensor, sigma: Tensor, rng: Generator, out: Tensor | None = None
) -> Tensor:
    """``|x + sigma (n1 + i n2)|`` with standard normals n1 and n2.

    Args:
        x: Signal, (n, ...).
        sigma: SD per channel, one for each volume, (n,).
        rng: Where the randomness comes from.
        out: Where to write, contiguous, ``x`` itself if need be; else a new tensor.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> air = magnitude(torch.zeros(1, 100_000), torch.tensor([1.0]), rng)
        >>> round(air.mean().item(), 1), round(air.square().mean().item(), 1)
        (1.3, 2.0)
    """
    signal, level = x.flatten(1), sigma.to(x)[:, None]
    y = out if out is not None else torch.empty(x.shape, dtype=x.dtype, device=x.device)
    after, parts = y.view(len(x), -1), (Normals(x, rng), Normals(x, rng))

    def work(volumes: slice, voxels: slice, number: int) -> None:
        here, width = after[volumes, voxels], level[volumes]
        real, imaginary = (part.block(volumes, voxels, number) for part in parts)
        torch.addcmul(signal[volumes, voxels], real, width, out=here)
        here.square_().add_(imaginary.mul_(width).square_()).sqrt_()

    in_blocks(y, work)
    return y
