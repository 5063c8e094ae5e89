"""Normal numbers for whole volumes, on as many threads as there are.

Decision (2026-11): torch fills a tensor on one thread, and for magnitude noise that was
a third of all the time. Here the caller's generator gives a key, and every block is
drawn by a generator of its own, seeded with the key plus the number of the block, on
threads that share the blocks. So one seed is one noise, whatever the number of threads.
The price: other voxels than torch's own for the same seed, and keys of 32 bits, which
is what torch's Mersenne twister keeps of a seed in any case. A generator on another
device draws there.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Generator, Tensor

from noise_models.voxelwise import blocks

DRAWN = 2**15
"""Values that one generator draws: the most that torch leaves to one thread."""

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

    on_threads(out, work)
    return out


def _fill_block(out: Tensor, key: int, number: int) -> Tensor:
    own = torch.Generator().manual_seed((key + number) % _SEEDS)
    return out.normal_(generator=own)


def on_threads(x: Tensor, work: Callable[[slice, slice, int], None]) -> None:
    """Call ``work(volumes, voxels, number)`` for blocks of ``x``, side by side.

    Which block has which number depends on the shape alone. Worth it where a block is
    long at one operation, as drawing is; see `noise_models.voxelwise`.

    Args:
        x: Gives shape (n, ...) and device.
        work: What to do; calls must not share what they write.
    """
    tasks = blocks(x, DRAWN)
    threads = min(torch.get_num_threads(), len(tasks))
    is_inference = torch.is_inference_mode_enabled()  # each thread has its own

    def share(first: int) -> None:
        with torch.no_grad(), torch.inference_mode(is_inference):
            for number in range(first, len(tasks), threads):
                work(*tasks[number], number)

    if threads < 2:
        return share(0) if threads else None
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(share, first) for first in range(1, threads)]
        share(0)
        for other in others:
            other.result()
    return None


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
    power = level.square()
    y = out if out is not None else torch.empty(x.shape, dtype=x.dtype, device=x.device)
    after, draws = y.view(len(x), -1), (_draws(signal, rng), _draws(signal, rng))

    def work(volumes: slice, voxels: slice, number: int) -> None:
        here, width = after[volumes, voxels], level[volumes]
        real, imaginary = (draw(volumes, voxels, number) for draw in draws)
        torch.addcmul(signal[volumes, voxels], real, width, out=here).square_()
        here.addcmul_(imaginary.square_(), power[volumes]).sqrt_()

    on_threads(y, work)
    return y


def _draws(like: Tensor, rng: Generator) -> Callable[[slice, slice, int], Tensor]:
    """Normals for blocks of ``like`` (n, voxels), each drawn when it is due.

    The numbers are those of `fill_normal`. Where generator and batch are not both on
    the CPU, all are drawn at once.
    """
    if rng.device.type != "cpu" or like.device.type != "cpu":
        drawn = fill_normal(torch.empty(like.shape, device=rng.device), rng).to(like)
        return lambda volumes, voxels, _: drawn[volumes, voxels]
    key = draw_key(rng)

    def draw(volumes: slice, voxels: slice, number: int) -> Tensor:
        buffer = torch.empty(like[volumes, voxels].shape)
        return _fill_block(buffer, key, number).to(like.dtype)

    return draw
