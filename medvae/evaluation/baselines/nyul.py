"""Histogram matching by landmarks, the customary answer to scanners.

Nyul & Udupa 1999 (doi:10.1002/(SICI)1522-2594(199912)42:6<1072::AID-MRM11>3.0.CO;2-M)
with the percentiles that TorchIO uses. The standard scale keeps the unit of the
training scans (their mean 1st and 99th percentile) instead of 0 to 100, so that a
network sees numbers of the usual size. As in the paper, foreground is what is brighter
than the image's mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medvae.evaluation.baselines.inner import AroundEncoder
from medvae.evaluation.estimate import FloatArray
from medvae.evaluation.latents import EncoderLike

PERCENTILES = (1, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 99)

Image = NDArray[np.floating]


def landmarks(image: Image) -> FloatArray:
    """Percentiles of the foreground, (13,).

    Example:
        >>> landmarks(np.arange(201.0))[6]        # the median of 101 to 200
        np.float64(150.5)
    """
    inside = image[image > image.mean()]
    if inside.size == 0:
        raise ValueError("a constant image has no landmarks")
    result: FloatArray = np.percentile(inside, PERCENTILES).astype(np.float64)
    return result


@dataclass(frozen=True)
class Matching:
    """A standard scale that images are brought to.

    Args:
        standard: Where each landmark goes.
    """

    standard: tuple[float, ...]

    def apply(self, image: Image) -> NDArray[np.float32]:
        """The image with its landmarks moved; linear between and beyond them.

        Example:
            >>> x = np.arange(201.0)
            >>> same = Matching(tuple(landmarks(x))).apply(x)
            >>> bool(np.abs(same - x).max() < 1e-4)
            True
        """
        own, to = landmarks(image), np.array(self.standard)
        keep = np.concatenate([[True], np.diff(own) > 1e-9])
        own, to = own[keep], to[keep]
        if len(own) < 2:
            return np.asarray(image + (to[0] - own[0]), dtype=np.float32)
        slope = np.diff(to) / np.diff(own)
        piece = np.clip(np.searchsorted(own, image) - 1, 0, len(slope) - 1)
        moved = to[piece] + slope[piece] * (image - own[piece])
        return np.asarray(moved, dtype=np.float32)


def fit_matching(images: Iterable[Image]) -> Matching:
    """Average landmarks of images whose outer two are first set equal.

    Args:
        images: Training scans.

    Raises:
        ValueError: No image.
    """
    found = np.array([landmarks(image) for image in images])
    if not len(found):
        raise ValueError("histogram matching needs at least one image, got none")
    low, high = found[:, :1], found[:, -1:]
    shares = ((found - low) / (high - low)).mean(axis=0)
    scale = low.mean() + (high.mean() - low.mean()) * shares
    return Matching(tuple(float(v) for v in scale))


class MatchedEncoder(AroundEncoder):
    """An encoder that matches histograms first; it is judged on the scans as they are.

    Args:
        inner: A network trained on matched scans as input and real ones as target.
        matching: The standard scale it was trained with.
    """

    def __init__(self, inner: EncoderLike, matching: Matching) -> None:
        super().__init__(inner)
        self.matching = matching

    def encode_batch(self, x: Tensor, /) -> tuple[Tensor, Tensor]:
        """Match every volume, then encode."""
        matched = [self.matching.apply(volume[0].numpy()) for volume in x]
        return self.inner.encode_batch(torch.from_numpy(np.stack(matched))[:, None])

    def decode_batch(self, z: Tensor, /, site: str | None) -> Tensor:
        """As the inner encoder does."""
        return self.inner.decode_batch(z, site)
