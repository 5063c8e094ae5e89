"""What the protocol needs of an encoder and of a scan, and the latents it works on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medvae.evaluation.estimate import FloatArray, IntArray

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]
Progress = Callable[[int, int, str], object]


class GridLike(Protocol):
    """The training grid."""

    @property
    def spacing_mm(self) -> tuple[float, float, float]: ...


class EncoderLike(Protocol):
    """What is evaluated: `medvae.Encoder`, or anything that answers alike.

    ``encode_batch`` takes (B, 1, X, Y, Z) in reference units and returns posterior
    mean and standard deviation, (B, ...). ``decode_batch`` returns (B, 1, X, Y, Z);
    ``site=None`` asks for the mean site input, ValueError says there is none.
    ``detail`` is the gain of `medvae.model.detail`, (BANDS,), and
    ``within_field_of_view`` ends volumes where scans of a site do
    (`medvae.model.acquired_region`). ``likelihood`` is gaussian or laplace, and
    ``scale`` its width in reference units.
    """

    @property
    def sites(self) -> Sequence[str]: ...
    @property
    def grid(self) -> GridLike: ...
    @property
    def likelihood(self) -> str: ...
    @property
    def scale(self) -> float: ...
    @property
    def detail(self) -> Tensor: ...
    def encode_batch(self, x: Tensor, /) -> tuple[Tensor, Tensor]: ...
    def decode_batch(self, z: Tensor, /, site: str | None) -> Tensor: ...
    def within_field_of_view(self, x: Tensor, /, site: str | None) -> Tensor: ...


class PreparedScan(Protocol):
    """One scan on the training grid, read when asked for."""

    @property
    def image(self) -> Image: ...
    @property
    def mask(self) -> Mask: ...
    @property
    def subject(self) -> str: ...
    @property
    def site(self) -> str | None: ...
    @property
    def age(self) -> float | None: ...
    @property
    def sex(self) -> str | None: ...
    @property
    def split(self) -> str | None: ...


class ImageStore(Protocol):
    """Prepared images by number, such as `medvae.volume.PreparedCohort`."""

    def image(self, index: int, /) -> Image: ...
    def mask(self, index: int, /) -> Mask: ...


class ScanLike(Protocol):
    """Who was scanned where, such as `medvae.cohort.Scan`."""

    @property
    def subject(self) -> str: ...
    @property
    def site(self) -> str | None: ...
    @property
    def age(self) -> float | None: ...
    @property
    def sex(self) -> str | None: ...


@dataclass(frozen=True)
class StoredScan:
    """A `PreparedScan` whose voxels stay in their store until asked for."""

    store: ImageStore
    index: int
    scan: ScanLike
    split: str | None

    @property
    def image(self) -> Image:
        return self.store.image(self.index)

    @property
    def mask(self) -> Mask:
        return self.store.mask(self.index)

    @property
    def subject(self) -> str:
        return self.scan.subject

    @property
    def site(self) -> str | None:
        return self.scan.site

    @property
    def age(self) -> float | None:
        return self.scan.age

    @property
    def sex(self) -> str | None:
        return self.scan.sex


def stored_scans(
    store: ImageStore,
    scans: Sequence[ScanLike],
    split_of: Mapping[str, str],
) -> list[StoredScan]:
    """Join prepared images with who they show; store and scans in the same order.

    Args:
        store: The images.
        scans: Their scans.
        split_of: ``train``, ``validation`` or ``test`` by subject.

    Example:
        >>> stored_scans(store=None, scans=[], split_of={})
        []
    """
    return [
        StoredScan(store, index, scan, split_of.get(scan.subject))
        for index, scan in enumerate(scans)
    ]


@dataclass(frozen=True)
class Latents:
    """Posterior of every scan, flattened: mean and std (n, d), and the z shape."""

    mean: FloatArray
    std: FloatArray
    shape: tuple[int, ...]

    def tensor(self, index: IntArray, noise: FloatArray | float = 0.0) -> Tensor:
        """Latents of some scans as the decoder takes them, mean + noise * std."""
        z = self.mean[index] + noise * self.std[index]
        return torch.as_tensor(z, dtype=torch.float32).reshape(-1, *self.shape)


def encode_scans(
    encoder: EncoderLike,
    scans: Sequence[PreparedScan],
    *,
    batch_size: int = 4,
    progress: Progress | None = None,
) -> Latents:
    """Encode every scan as it is: no corruption, no augmentation."""
    means: list[FloatArray] = []
    stds: list[FloatArray] = []
    shape: tuple[int, ...] = (0,)
    for index in batches(np.arange(len(scans)), batch_size):
        x = np.stack([scans[i].image for i in index])[:, None]
        with torch.inference_mode():
            mean, std = encoder.encode_batch(torch.as_tensor(x, dtype=torch.float32))
        shape = tuple(mean.shape[1:])
        means.append(mean.cpu().double().numpy().reshape(len(index), -1))
        stds.append(std.cpu().double().numpy().reshape(len(index), -1))
        if progress is not None:
            progress(int(index[-1]) + 1, len(scans), "encode")
    return Latents(np.concatenate(means), np.concatenate(stds), shape)


def decode_scans(
    encoder: EncoderLike,
    latents: Latents,
    index: Sequence[int],
    site: str | None,
    *,
    noise: FloatArray | float = 0.0,
    batch_size: int = 4,
) -> Iterator[tuple[int, FloatArray]]:
    """Yield (scan number, image) decoded with a site's input; ``noise`` is (d,)."""
    for some in batches(np.asarray(index, dtype=np.intp), batch_size):
        with torch.inference_mode():
            image = encoder.decode_batch(latents.tensor(some, noise), site=site)
        decoded: Any = image[:, 0].cpu().double().numpy()
        yield from zip((int(i) for i in some), decoded, strict=True)


def batches(index: IntArray, size: int) -> Iterator[IntArray]:
    """Consecutive pieces of at most ``size``.

    Example:
        >>> [len(piece) for piece in batches(np.arange(5), 2)]
        [2, 2, 1]
    """
    for start in range(0, len(index), size):
        yield index[start : start + size]
