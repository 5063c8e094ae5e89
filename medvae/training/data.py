"""Prepared volumes to batches: order, augmentation and what belongs to each scan."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from medvae.training.augmentation import Augmentation
from medvae.training.config import TrainConfig
from medvae.training.seeds import seed_of

Key = tuple[int, int] | tuple[int, int, float]
"""Epoch, number of the scan, and its share in the loss: 1 where it is not told."""


class Volumes(Protocol):
    """Anything that holds prepared volumes by number, such as the cache."""

    def image(self, index: int) -> npt.NDArray[np.float32]:
        """The volume (X, Y, Z) in reference units."""


class Views(Protocol):
    """Other pictures of the same heads, placed alike: corruptions made beforehand."""

    def views(self, index: int) -> Sequence[npt.NDArray[np.float32]]:
        """Every other picture (X, Y, Z) of volume ``index``, at least one."""


@dataclass(frozen=True)
class Entry:
    """One scan as training sees it.

    Args:
        index: Its number in the prepared volumes.
        name: Its identity in seeds and messages.
        site: Its site label, or ``None``.
        source: What the noise model knows of its scanner: an estimate or the site.
    """

    index: int
    name: str
    site: str | None
    source: object


class TrainingScans(Dataset[dict[str, Any]]):
    """Volumes by (epoch, number): the epoch is part of the key, so workers know it.

    Where views were made beforehand, ``copies`` of them are drawn afresh at every epoch
    and moved together with their volume.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        volumes: Volumes,
        *,
        seed: int,
        augmentation: Augmentation | None = None,
        views: Views | None = None,
        copies: int = 1,
    ) -> None:
        self.entries, self.volumes = entries, volumes
        self.seed, self.augmentation = seed, augmentation
        self.views, self.copies = views, copies

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, number, share = key if len(key) == 3 else (*key, 1.0)
        entry = self.entries[number]
        images = [self.volumes.image(entry.index), *self._chosen(epoch, entry)]
        stack = torch.from_numpy(np.stack(images).astype(np.float32))
        if self.augmentation is not None:
            seed = seed_of(self.seed, "augmentation", epoch, entry.name)
            stack = self.augmentation(stack, seed)
        item = {"image": stack[:1], "entry": number, "epoch": epoch, "share": share}
        return item if self.views is None else item | {"views": stack[1:, None]}

    def _chosen(self, epoch: int, entry: Entry) -> list[npt.NDArray[np.float32]]:
        if self.views is None:
            return []
        known = self.views.views(entry.index)
        if self.augmentation is None:  # validation: the same views at every epoch
            epoch = 0
        rng = np.random.default_rng(seed_of(self.seed, "view", epoch, entry.name))
        again = len(known) < self.copies
        drawn = rng.choice(len(known), self.copies, replace=again)
        return [known[int(i)] for i in drawn]


class SeededOrder(Sampler[Key]):
    """All scans once an epoch, in an order that depends on (seed, epoch) only.

    Batches are cut from that order first and dealt to the devices then, so any number
    of devices takes the same steps. Devices that come up short repeat a scan with share
    0; the other shares make the mean of the devices' losses that of the whole batch.

    Args:
        count: Number of scans.
        seed: Of the order.
        shuffle: Whether to shuffle.
        batch: Scans of a step, on all devices together; all of them if 0.
        rank: Which device this is.
        devices: How many there are.

    Example:
        >>> order = SeededOrder(3, seed=0, shuffle=False, rank=1, devices=2)
        >>> order.set_epoch(2)
        >>> [(epoch, number, round(share, 2)) for epoch, number, share in order]
        [(2, 1, 0.67), (2, 0, 0.0)]
    """

    def __init__(
        self,
        count: int,
        *,
        seed: int,
        shuffle: bool,
        batch: int = 0,
        rank: int = 0,
        devices: int = 1,
    ) -> None:
        self.count, self.seed, self.shuffle, self.epoch = count, seed, shuffle, 0
        self.batch, self.rank, self.devices = batch or max(count, 1), rank, devices

    def set_epoch(self, epoch: int) -> None:
        """Told by the trainer at the start of every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(self.count, self.batch)
        return whole * self._dealt(self.batch) + self._dealt(rest)

    def _dealt(self, scans: int) -> int:
        return math.ceil(scans / self.devices)

    def __iter__(self) -> Iterator[Key]:
        order = np.arange(self.count)
        if self.shuffle:
            rng = np.random.default_rng(seed_of(self.seed, "order", self.epoch))
            order = rng.permutation(self.count)
        for start in range(0, self.count, self.batch):
            step = order[start : start + self.batch]
            for place in range(self._dealt(len(step))):
                mine = place * self.devices + self.rank
                share = self.devices / len(step) if mine < len(step) else 0.0
                yield self.epoch, int(step[mine % len(step)]), share


def loader(
    entries: Sequence[Entry],
    volumes: Volumes,
    config: TrainConfig,
    *,
    training: bool,
    views: Views | None = None,
    rank: int = 0,
    devices: int = 1,
) -> DataLoader[dict[str, Any]]:
    """Batches of all ``entries``; only training shuffles and augments.

    Of several devices, ``rank`` gets its part of every batch.
    """
    augmentation = (
        Augmentation(config.augmentation, config.grid.shape, config.grid.spacing_mm)
        if training
        else None
    )
    scans = TrainingScans(
        entries,
        volumes,
        seed=config.seed,
        augmentation=augmentation,
        views=views,
        copies=config.objective.copies,
    )
    batch = config.optimiser.batch_size
    order = SeededOrder(
        len(entries),
        seed=config.seed,
        shuffle=training,
        batch=batch,
        rank=rank,
        devices=devices,
    )
    return DataLoader(
        scans,
        batch_size=math.ceil(batch / devices),
        sampler=order,
        num_workers=0,
    )
