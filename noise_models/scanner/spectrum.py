"""Signal and noise of two scanners along the frequencies of one grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Generator, Tensor

from noise_models.base import per_volume
from noise_models.blur import transfer_matrix
from noise_models.normals import fill_normal
from noise_models.scanner.resampling import (
    noise_response,
    signal_response,
    skew_gain,
)
from noise_models.separable import along_all

_FAINT = 1e-3  # a response below this is none
_STEEP = 6  # power of the frequency by which a raw-data filter falls


@dataclass(frozen=True)
class Spectra:
    """What happens to signal and noise on the way from A to B, axis by axis.

    Everything is separable and given at ``k / (2 size)`` cycles per voxel of the grid,
    (n, size) per axis.

    Attributes:
        transfer: What A's signal is multiplied by to be as sharp as B's: never more
            than 1.
        noise_a: Power spectrum of A's unit noise on the grid, after ``transfer``.
        noise_b: That of B's.
        skew_a, skew_b: What is left of the third moment of the noise of A and of B on
            the grid, (n,).

    Example:
        >>> flat = (torch.ones(1, 4),)
        >>> Spectra(flat, flat, flat).power_a
        tensor([1.])
    """

    transfer: tuple[Tensor, ...]
    noise_a: tuple[Tensor, ...]
    noise_b: tuple[Tensor, ...]
    skew_a: Tensor = field(default_factory=lambda: torch.ones(1))
    skew_b: Tensor = field(default_factory=lambda: torch.ones(1))

    @property
    def power_a(self) -> Tensor:
        """Variance of A's unit noise on the grid, carried along, (n,)."""
        return _mean_product(self.noise_a)

    @property
    def is_coloured(self) -> bool:
        """The noise to add is not white: A's was filtered, or either has a colour."""
        return not all(
            bool((values == 1).all()) for values in (*self.noise_a, *self.noise_b)
        )

    @property
    def power_b(self) -> Tensor:
        """Variance of B's unit noise on the grid, (n,)."""
        return _mean_product(self.noise_b)


def spectra(
    variance_mm2: Tensor,
    spacing_a_mm: Tensor,
    spacing_b_mm: Tensor,
    shape: Sequence[int],
    grid_mm: Sequence[float],
    extents: tuple[Tensor, Tensor] | None = None,
    apodisation: Tensor | None = None,
) -> Spectra:
    """Transfer of the signal and power of both noises on a grid.

    ``H(f) = min(1, exp(-2 pi^2 (s_B^2 - s_A^2) f^2) K_B(f) / K_A(f))`` with K the
    resampling from the native grid (`resampling.signal_response`).

    Args:
        variance_mm2: ``s_B^2 - s_A^2`` per axis, signed, (n, >= ndim).
        spacing_a_mm: Native voxel size of A, (n, >= ndim).
        spacing_b_mm: That of B.
        shape: Size of the grid.
        grid_mm: Its voxel size.
        extents: Share of k-space that A and B fill, (n, >= ndim) each; all of it when
            not given. Noise that fills less is stronger there, and absent beyond.
        apodisation: q of a further factor ``exp(-q (2 native_B f)^6)`` per axis, (n,):
            a raw-data filter (Hann, Fermi) is flat in the middle of k-space and falls
            faster than a Gaussian towards its edge; negative, where A's did so.

    Example:
        >>> one = torch.ones(1, 3)
        >>> spectra(one, one, one, (8, 8, 8), (1, 1, 1)).transfer[0][0, 0].item()
        1.0
    """
    whole = torch.ones_like(variance_mm2)
    filled_a, filled_b = extents if extents is not None else (whole, whole)
    edge = torch.zeros(len(variance_mm2)) if apodisation is None else apodisation
    parts: tuple[list[Tensor], ...] = ([], [], [])
    for axis, (size, step) in enumerate(zip(shape, grid_mm, strict=True)):
        rows = [
            _axis(row, step, size)
            for row in zip(
                variance_mm2[:, axis].tolist(),
                spacing_a_mm[:, axis].tolist(),
                spacing_b_mm[:, axis].tolist(),
                filled_a[:, axis].tolist(),
                filled_b[:, axis].tolist(),
                edge.tolist(),
                strict=True,
            )
        ]
        for part, values in zip(parts, zip(*rows, strict=True), strict=True):
            part.append(torch.tensor(np.stack(values)))
    transfer, plain_a, noise_b = (tuple(part) for part in parts)
    noise_a = tuple(p * t**2 for p, t in zip(plain_a, transfer, strict=True))
    ends = spacing_a_mm.tolist(), spacing_b_mm.tolist()
    skew_a, skew_b = (
        torch.tensor([skew_gain(native[: len(grid_mm)], grid_mm) for native in rows])
        for rows in ends
    )
    for before, after in zip(plain_a, noise_a, strict=True):
        skew_a = skew_a * _third(after.mean(1)) / _third(before.mean(1))
    return Spectra(transfer, noise_a, noise_b, skew_a, skew_b)


def _third(power: Tensor) -> Tensor:
    """Sum of a kernel's cubes, given that of its squares.

    ``(sum w^2)^2 2 / sqrt(3)`` for a wide Gaussian, 1 for none, and between for others.
    """
    return power.square() * (1 + (2 / 3**0.5 - 1) * (1 - power))


def _axis(
    row: tuple[float, ...], grid_mm: float, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Transfer, and both noises before it, of one volume along one axis."""
    variance, a_mm, b_mm, filled_a, filled_b, edge = row
    f = np.arange(size) / (2 * size * grid_mm)
    to_edge = np.minimum(2 * b_mm * f, 1)
    fall = 2 * np.pi**2 * variance * f**2 + edge * to_edge**_STEEP
    blur = np.exp(np.minimum(-fall, 50.0))
    (have, noise_a), (want, noise_b) = (
        _resampled(native_mm, grid_mm, size) for native_mm in (a_mm, b_mm)
    )
    transfer = np.minimum(1.0, blur * want / np.maximum(have, _FAINT))
    transfer = transfer * (f * 2 * b_mm <= filled_b) if filled_b < 1 else transfer
    bands = _band(f, a_mm, filled_a), _band(f, b_mm, filled_b)
    return transfer, noise_a * bands[0], noise_b * bands[1]


@lru_cache(maxsize=4096)
def _resampled(
    native_mm: float, grid_mm: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """What resampling leaves of a signal, and of white noise; not to be written to."""
    f = np.arange(size) / (2 * size * grid_mm)
    signal = signal_response(native_mm, grid_mm, f)
    noise = noise_response(native_mm, grid_mm, f)
    for values in (signal, noise):
        values.setflags(write=False)
    return signal, noise


def _band(f: np.ndarray, native_mm: float, filled: float) -> np.ndarray:
    """Spectrum of unit noise that ends at a share of Nyquist."""
    if filled >= 1:
        return np.ones_like(f)
    return np.where(f * 2 * native_mm <= filled, 1 / filled, 0.0)


def filtered(x: Tensor, transfer: Sequence[Tensor]) -> Tensor:
    """``x`` times a separable response, mirrored at the faces; ``x`` if all are 1.

    ``x`` may be written over.
    """
    matrices = {
        axis: transfer_matrix(response).to(x)
        for axis, response in enumerate(transfer, start=2)
        if not bool((response == 1).all())
    }
    return along_all(x, matrices, spare=x)


def coloured_noise(spectrum: Tensor, like: Tensor, rng: Generator) -> Tensor:
    """Stationary Gaussian noise of a given power spectrum, shaped like ``like``.

    Opposite faces are neighbours; else nothing tells where the volume ends. The Fourier
    transform of white noise is white noise, so it is drawn there, at half of the
    frequencies, and one transform back is enough.

    Args:
        spectrum: Power at the frequencies 0 to Nyquist of every axis, as
            `lacking_spectrum` returns it; used up.
        like: Gives shape (n, C, X, Y[, Z]), dtype and device.
        rng: Where the randomness comes from.

    Example:
        >>> flat, like = torch.ones(1, 5, 5, 5), torch.empty(1, 1, 8, 8, 8)
        >>> noise = coloured_noise(flat, like, torch.Generator().manual_seed(0))
        >>> noise.shape, 0.9 < noise.std().item() < 1.1
        (torch.Size([1, 1, 8, 8, 8]), True)
    """
    size, axes = like.shape[-1], tuple(range(2, like.ndim))
    spectrum.div_(2)  # a half for each of real and imaginary part
    # The transform keeps the real part of what has no partner: the mean and Nyquist.
    spectrum[..., [0, size // 2] if size % 2 == 0 else [0]] *= 2
    noise = _shaped_noise(spectrum, like.shape[2:-1], like, rng)
    field: Tensor = torch.fft.irfftn(noise, s=like.shape[2:], dim=axes, norm="ortho")
    return field


def complex_noise(spectrum: Tensor, like: Tensor, rng: Generator) -> Tensor:
    """The same twice, as real and imaginary part, (n, C, X, Y[, Z], 2).

    Example:
        >>> flat, like = torch.ones(1, 5, 5, 5), torch.empty(1, 1, 8, 8, 8)
        >>> complex_noise(flat, like, torch.Generator()).shape
        torch.Size([1, 1, 8, 8, 8, 2])
    """
    axes = tuple(range(2, like.ndim))
    noise = _shaped_noise(spectrum, like.shape[2:], like, rng)
    return torch.view_as_real(torch.fft.ifftn(noise, dim=axes, norm="ortho"))


def _shaped_noise(
    spectrum: Tensor, mirrored: Sequence[int], like: Tensor, rng: Generator
) -> Tensor:
    """Complex normals times the root of a power, on a transform's frequencies.

    Args:
        spectrum: Power at the frequencies 0 to Nyquist of every axis; used up.
        mirrored: Sizes of the first axes, which have frequencies of both signs.
        like: Gives number of volumes and of channels, and dtype.
        rng: Where the randomness comes from.
    """
    amplitude = spectrum.sqrt_()
    for axis, size in enumerate(mirrored, start=1):
        amplitude = amplitude.index_select(axis, _folded(size, like.device))
    n, *frequencies = amplitude.shape
    # All real parts, then all imaginary ones: contiguous, so the product is fast.
    drawn = torch.empty(n, 2, like.shape[1], *frequencies, device=rng.device)
    parts = fill_normal(drawn, rng).to(like).mul_(amplitude[:, None, None])
    return torch.complex(parts[:, 0], parts[:, 1])


def _folded(size: int, device: torch.device | None = None) -> Tensor:
    """|frequency| of every place of a Fourier transform, in steps of 1 / size."""
    place = torch.arange(size, device=device)
    return torch.minimum(place, size - place)


def lacking_spectrum(
    both: Spectra, sigma_a: Tensor, sigma_b: Tensor, like: Tensor
) -> Tensor:
    """Spectrum of the noise to add, scaled to mean 1 over the Fourier transform.

    ``max(0, sigma_B^2 S_B - sigma_A^2 |H|^2 S_A)``; white where nothing is lacking.

    Args:
        both: Spectra of A and of B.
        sigma_a: Noise of A, (n, 1).
        sigma_b: Noise of B.
        like: Gives the size of the grid.

    Returns:
        Power at ``k / size``, k from 0 to Nyquist, along every axis, (n, ...).
    """
    want, have = (
        _outer([_sampled(axis) for axis in noise], like)
        * per_volume(sigma**2, like)[:, 0]
        for noise, sigma in ((both.noise_b, sigma_b), (both.noise_a, sigma_a))
    )
    lack = want.sub_(have).clamp_min_(0)
    # Over the whole transform: what lies between 0 and Nyquist counts twice.
    mean = lack
    for size in reversed(like.shape[2:]):
        mean = mean @ (_folded(size, like.device).bincount().to(lack) / size)
    empty = mean <= 0
    if bool(empty.any()):
        lack[empty], mean[empty] = 1.0, 1.0
    return lack.div_(per_volume(mean, like)[:, 0])


def _sampled(power: Tensor) -> Tensor:
    """Of ``k / (2 size)``, (n, size), the frequencies ``k / size`` up to Nyquist.

    Nyquist itself is not among them; its neighbour, half a step below, stands in.
    """
    size = power.shape[1]
    return power[:, (2 * torch.arange(size // 2 + 1)).clamp_max(size - 1)]


def _outer(axes: Sequence[Tensor], like: Tensor) -> Tensor:
    product = torch.ones(len(like), dtype=like.dtype, device=like.device)
    for values in axes:
        row = values.to(like).view(len(like), *[1] * (product.ndim - 1), -1)
        product = product[..., None] * row
    return product


def _mean_product(axes: Sequence[Tensor]) -> Tensor:
    return torch.stack([values.mean(1) for values in axes]).prod(0)
