"""A single volume on a CPU, convolved by the kernel that batches get.

PyTorch chooses the kernel for a batch of one by channels, X and Y, not Z, and takes a
plain one where they are few, as inside a network. oneDNN's needs a tenth to a half of
its time. Of two volumes torch always asks oneDNN, so a single one goes as two halves
that share a rim.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv3d, pad

PLAIN = 20480  # channels times X times Y of one volume, up to which torch's own is used


class LoneConv3d(nn.Conv3d):
    """The same convolution, a single small float32 volume on a CPU in two halves."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
        """Convolve volumes (B, C, X, Y, Z)."""
        if self._is_slow(input):
            return self._in_halves(input)
        return super().forward(input)

    def _is_slow(self, x: Tensor) -> bool:
        """Whether torch would take its plain kernel, and there is a half to be had."""
        return (
            # What is compiled, exported or traced has to take any number of volumes.
            not torch.compiler.is_compiling()
            and torch._C._get_tracing_state() is None
            and x.ndim == 5
            and x.shape[0] == 1
            and math.prod(x.shape[1:4]) <= PLAIN
            and x.device.type == "cpu"
            and x.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and self._planes(x) > 1
        )

    def _planes(self, x: Tensor) -> int:
        """Of the result, along X."""
        around = 2 * int(self.padding[0])
        return (x.shape[2] + around - self.kernel_size[0]) // self.stride[0] + 1

    def _in_halves(self, x: Tensor) -> Tensor:
        rim, *others = (int(size) for size in self.padding)
        padded = pad(x, (0, 0, 0, 0, rim, rim))
        planes = self._planes(x)
        half = -(-planes // 2)  # of an odd number both have the middle one
        start = (planes - half) * self.stride[0]
        reach = (half - 1) * self.stride[0] + self.kernel_size[0]
        halves = torch.cat([padded[:, :, :reach], padded[:, :, start : start + reach]])
        found = conv3d(halves, self.weight, self.bias, self.stride, (0, *others))
        return torch.cat([found[:1], found[1:, :, 2 * half - planes :]], dim=2)


def hasten_lone_volumes(network: nn.Module) -> None:
    """Make every 3-D convolution of a network a `LoneConv3d`; weights stay.

    Those with groups, dilation or another padding than zeros are left as they are; so
    are those of one voxel, which torch multiplies as matrices, and of more than three
    along Y and Z, which go to oneDNN of themselves. Without oneDNN nothing changes.

    Example:
        >>> network = nn.Sequential(nn.Conv3d(1, 2, 3))
        >>> hasten_lone_volumes(network)
        >>> type(network[0]).__name__
        'LoneConv3d'
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch's own
        return
    for module in network.modules():
        if type(module) is nn.Conv3d and _is_simple(module):
            module.__class__ = LoneConv3d


def _is_simple(conv: nn.Conv3d) -> bool:
    zeros = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    is_whole = conv.groups == 1 and conv.dilation == (1, 1, 1)
    is_small = conv.kernel_size != (1, 1, 1) and min(conv.kernel_size[1:]) <= 3
    return zeros and is_whole and is_small
