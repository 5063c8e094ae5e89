"""A GPU that is not there: tensors of another device whose numbers lie in memory.

torch's own fake tensors have no numbers, and ours are looked at on the way (how many
slices, which site). Here they are, and the refusals are a GPU's: of tensors of two
devices in one operation, but for a scalar or an index, and of a generator of another
device. The device is called ``meta``: torch without CUDA computes no gradient for
tensors that say ``cuda``. What a kernel does on a GPU, and how fast, is not shown.
"""

from __future__ import annotations

from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

aten = torch.ops.aten
MOVES = {aten._to_copy.default, aten.copy_.default}
INDEXES = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}
CpuGenerator = torch.Generator
GPU = "meta"


class OnGpu(torch.Tensor):
    """A tensor of the imaginary GPU; ``held`` has its numbers."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=GPU,
        )

    def __init__(self, held):
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return carry_out(func, args, kwargs or {})


class Generator(CpuGenerator):
    """One that says on which device it is; the numbers are the CPU's."""

    def __new__(cls, device="cpu"):
        return super().__new__(cls)

    def __init__(self, device="cpu"):
        self.place = torch.device(device)

    @property
    def device(self):
        return self.place


class ImaginaryGpu(TorchDispatchMode):
    """While it is on, ``device=GPU`` gives tensors of the imaginary GPU."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        with self:  # in inference mode operations come undivided
            parts = func.decompose(*args, **(kwargs or {}))
        if parts is not NotImplemented:
            return parts
        return carry_out(func, args, kwargs or {})


class OwnGenerators(TorchFunctionMode):
    """Refuses a generator of another device than the tensor that it fills."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.Tensor.tolist and isinstance(args[0], OnGpu):
            return args[0].held.tolist()  # torch has none for tensors such as ours
        if func in (torch.tensor, torch.as_tensor) and kwargs and "device" in kwargs:
            place = kwargs.pop("device")  # else torch makes it where no mode sees it
            return func(*args, **kwargs).to(place)
        if func is torch.Tensor.new_tensor and isinstance(args[0], OnGpu):
            return args[0].held.new_tensor(*args[1:], **(kwargs or {})).to(GPU)
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            # A list would become a tensor of the device meta, which has no numbers.
            whole = args[1] if isinstance(args[1], tuple) else (args[1],)
            at = [torch.tensor(i) if isinstance(i, list) else i for i in whole]
            args = (args[0], tuple(at), *args[2:])
        rng = (kwargs or {}).get("generator")
        if rng is not None:
            filled = args[0].device if isinstance(args[0], torch.Tensor) else "cpu"
            place = torch.device(kwargs.get("device") or filled)
            if place.type != rng.device.type:
                raise RuntimeError(f"{func}: a generator of another device")
        return func(*args, **(kwargs or {}))


@contextmanager
def imaginary_gpu():
    """A GPU for what stands in the block, generators among it."""
    made = patch.object(torch, "Generator", Generator)
    with made, ImaginaryGpu(), OwnGenerators():
        yield


def carry_out(func, args, kwargs):
    """Do an operation in memory, if a GPU would have done it."""
    held, strangers = {}, []

    def lower(value):
        if isinstance(value, OnGpu):
            held[id(value.held)] = value
            return value.held
        if isinstance(value, torch.Tensor) and value.device.type == GPU:
            raise RuntimeError(f"{func}: a tensor that no mode has seen")
        if isinstance(value, torch.Tensor) and value.ndim:
            strangers.append(value)
        return value

    args, kwargs = tree_map(lower, args), tree_map(lower, kwargs)
    asked = kwargs.get("device")
    if asked is not None:
        kwargs["device"] = torch.device("cpu")
    is_gpu = bool(held) if asked is None else torch.device(asked).type == GPU
    is_index = func in INDEXES and id(args[0]) in held
    if held and strangers and func not in MOVES and not is_index:
        raise RuntimeError(f"{func}: tensors of two devices")
    done = func(*args, **kwargs)
    if func is aten.copy_.default:
        is_gpu = id(args[0]) in held

    def lift(value):
        if not isinstance(value, torch.Tensor) or isinstance(value, OnGpu):
            return value
        if id(value) in held:  # written in place
            return held[id(value)]
        return OnGpu(value) if is_gpu else value

    return tree_map(lift, done)
