"""MNIST from a folder of idx files, binarised once and split as published."""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medvae.errors import UserError
from medvae.training.seeds import generator

SIDE = 28
PIXELS = SIDE * SIDE
TRAINING = 50_000  # of the 60 000 training images; the rest is for validation
UNSIGNED_BYTES = 8


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an idx file of bytes, gzipped or not.

    The format is two zero bytes, the type (8: unsigned bytes), the number of axes,
    then each axis as a big-endian 32-bit integer, then the values.

    Raises:
        UserError: Not such a file.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as handle:
            content = handle.read()
    except (OSError, EOFError) as error:
        raise UserError(
            f"{path}: cannot be read ({error}). Download it again."
        ) from None
    axes = content[3] if len(content) > 3 else 0
    if content[:3] != bytes([0, 0, UNSIGNED_BYTES]) or len(content) < 4 + 4 * axes:
        raise UserError(
            f"{path}: must be an idx file of unsigned bytes, but starts with "
            f"{content[:4]!r}."
        )
    shape = np.frombuffer(content, ">u4", axes, 4)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * axes)
    if math.prod(shape.tolist()) != values.size:
        raise UserError(
            f"{path}: its header promises {' x '.join(map(str, shape))} values, "
            f"but {values.size} follow. Download it again."
        )
    return values.reshape(shape)


def images(folder: Path, part: str) -> Tensor:
    """Grey levels 0 to 255 of ``train`` or ``t10k``, (n, 784), bytes.

    Raises:
        UserError: No such file in the folder, or images of another size.
    """
    names = [f"{part}-images-idx3-ubyte", f"{part}-images.idx3-ubyte"]
    for path in (folder / f"{name}{end}" for name in names for end in ("", ".gz")):
        if path.exists():
            values = read_idx(path)
            if values.shape[1:] != (SIDE, SIDE):
                raise UserError(
                    f"{path}: images must be 28 x 28, got {values.shape[1:]}."
                )
            return torch.from_numpy(values.reshape(-1, PIXELS).copy())
    raise UserError(
        f"{folder}: holds no {names[0]}(.gz). Give the folder of the four MNIST files "
        "with --data or MEDVAE_MNIST."
    )


@dataclass(frozen=True)
class Digits:
    """What one seed trains on and is judged by, bytes of 0 and 1, (n, 784).

    Args:
        grey: Training images before binarisation, (n, 784).
        thresholds: Of the training images; a pixel is 1 where it exceeds its own.
            They stay with their image when it is moved, so that augmentation moves
            images and does not redraw their noise.
        train: Binarised once.
        validation: The last 10 000 of the 60 000.
        test: The 10 000 test images.
    """

    grey: Tensor
    thresholds: Tensor
    train: Tensor
    validation: Tensor
    test: Tensor


def digits(folder: Path, seed: int, train_size: int) -> Digits:
    """Binarise MNIST once, by ``seed``, and draw ``train_size`` training images.

    A pixel of grey level g is 1 with probability g / 255. The images that a smaller
    training set keeps are drawn from the first 50 000, by the seed.

    Raises:
        UserError: The files are missing or damaged, or too few.
    """
    all_train, test = images(folder, "train"), images(folder, "t10k")
    if len(all_train) <= TRAINING:
        raise UserError(f"{folder}: needs 60000 images, got {len(all_train)}.")
    rng = generator("mnist", seed)
    keep = torch.randperm(TRAINING, generator=rng)[:train_size]
    thresholds = _thresholds(all_train, seed, "train")
    black = (all_train > thresholds).byte()
    return Digits(
        grey=all_train[keep],
        thresholds=thresholds[keep],
        train=black[keep],
        validation=black[TRAINING:],
        test=(test > _thresholds(test, seed, "test")).byte(),
    )


def _thresholds(grey: Tensor, seed: int, part: str) -> Tensor:
    rng = generator("mnist", seed, part)
    return torch.randint(255, grey.shape, dtype=torch.uint8, generator=rng)
