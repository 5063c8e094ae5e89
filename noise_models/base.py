"""The contract of every corruption model: draw parameters, then apply them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TypeGuard

import torch
from torch import Generator, Tensor

from noise_models.normals import fill_normal

Params = dict[str, Tensor]
"""One set of parameters per volume: every tensor has shape (n, ...)."""

Level = float | tuple[float, float]
"""``0.1`` is always 0.1; ``(0.05, 0.2)`` is a range, one value drawn per volume."""


_MOST = torch.finfo(torch.float32).max  # parameters are drawn in float32


class NoiseModel(ABC):
    """A distribution p(noisy | clean), split into what varies and what it does.

    Subclasses are frozen dataclasses whose fields are the configuration. ``draw``
    chooses one set of parameters per volume, ``apply`` corrupts with them, and a
    call does both. Randomness enters only through the ``rng`` argument: numbers
    are drawn in float32 on the generator's device and then moved, so one seed means
    one corruption on every device and in every dtype.

    Images are (B, C, X, Y) or (B, C, X, Y, Z) in positive reference units, where
    the reference tissue (white matter, else the foreground median) is 1.

    Example:
        >>> from noise_models.rician import Rician
        >>> rng = torch.Generator().manual_seed(0)
        >>> model = Rician(sigma=(0.05, 0.05))
        >>> params = model.draw(3, rng)
        >>> params["sigma"].tolist() == [params["sigma"][0].item()] * 3
        True
        >>> model.apply(torch.ones(3, 1, 8, 8), params, rng).shape
        torch.Size([3, 1, 8, 8])
    """

    name: ClassVar[str] = ""
    """The registered name; ``register`` sets it."""

    @abstractmethod
    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        """Choose parameters for ``n`` volumes.

        Args:
            n: Number of volumes.
            rng: Where the randomness comes from.
            source: What is known of each volume's own scanner (a site label, or its
                estimates). Only the fitted ``scanner`` looks at it.

        Returns:
            Tensors of shape (n, ...), fit to be logged and to be given to ``apply``.
        """

    @abstractmethod
    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        """Corrupt a copy of ``x``.

        Args:
            x: Clean images, (B, C, X, Y[, Z]); never written to.
            params: What ``draw(B, ...)`` returned.
            rng: Source of the voxel-wise randomness.
            spacing_mm: Voxel size per spatial axis, in mm; 1 mm when not given.

        Returns:
            The corrupted images: shape, dtype and device of ``x``.
        """

    def spend(
        self,
        y: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        """`apply` to images that the caller gives away: they may be written over.

        New memory costs as much time as the arithmetic does. Models that can work in
        place say so by overriding this; the numbers are those of `apply`.
        """
        return self.apply(y, params, rng, spacing_mm=spacing_mm)

    def __call__(
        self,
        x: Tensor,
        *,
        rng: Generator,
        spacing_mm: Sequence[float] | None = None,
        source: Sequence[object] | None = None,
    ) -> Tensor:
        """Draw parameters for every volume of ``x``, then corrupt a copy of it."""
        params = self.draw(x.shape[0], rng, source=source)
        return self.apply(x, params, rng, spacing_mm=spacing_mm)


def check_range(
    where: str,
    value: Level,
    *,
    low: float = 0.0,
    high: float = math.inf,
    open_low: bool = False,
    whole: bool = False,
) -> tuple[float, float]:
    """Read a `Level` as (low, high), refusing what lies outside the limits.

    For what is one number and never a range, see `check_number` and `check_whole`.

    Args:
        where: What the message calls it, such as ``"rician: sigma"``.
        value: One number, or the two ends of a range.
        low: Smallest value allowed.
        high: Largest value allowed.
        open_low: Whether ``low`` itself is refused (a log-uniform range cannot
            start at 0).
        whole: Whether only whole numbers are allowed.

    Raises:
        ValueError: ``value`` is not finite numbers in order and within the limits.

    Example:
        >>> check_range("rician: sigma", 0.1)
        (0.1, 0.1)
        >>> check_range("rician: sigma", (0.2, 0.1))
        Traceback (most recent call last):
        ValueError: rician: sigma must satisfy 0 <= low <= high, got (0.2, 0.1).
    """
    sign = "<" if open_low else "<="
    end = "" if math.isinf(high) else f" <= {high:g}"
    kind = " in whole numbers" if whole else ""
    rule = f"{where} must satisfy {low:g} {sign} low <= high{end}{kind}, got {value!r}."
    ends = value if isinstance(value, tuple | list) else (value, value)
    if len(ends) != 2 or not all(_is_number(v) for v in ends):
        raise ValueError(rule)
    a, b = float(ends[0]), float(ends[1])
    if not low <= a <= b <= high or (open_low and a == low):
        raise ValueError(rule)
    if whole and not (a.is_integer() and b.is_integer()):
        raise ValueError(rule)
    return a, b


def check_number(
    where: str, value: object, *, low: float = -math.inf, high: float = math.inf
) -> float:
    """Read one finite number, refusing a range and what lies outside the limits.

    Args:
        where: What the message calls it, such as ``"pepper: low"``.
        value: As it was given.
        low: Smallest value allowed.
        high: Largest value allowed.

    Raises:
        ValueError: ``value`` is not a finite number within the limits.

    Example:
        >>> check_number("bias_field: extent_mm", 240, low=0)
        240.0
        >>> check_number("bias_field: extent_mm", (100, 240), low=0)
        Traceback (most recent call last):
        ValueError: bias_field: extent_mm must be a finite number, at least 0, got ...
    """
    if not _is_number(value) or not low <= value <= high:
        kind = f"a finite number{_within(low, high)}"
        raise ValueError(f"{where} must be {kind}, got {value!r}.")
    return float(value)


def check_whole(where: str, value: object, *, low: int, high: float = math.inf) -> int:
    """Read one whole number; neither 2.0 nor True is one.

    Args:
        where: What the message calls it, such as ``"bias_field: order"``.
        value: As it was given.
        low: Smallest value allowed.
        high: Largest value allowed.

    Raises:
        ValueError: ``value`` is not a whole number within the limits.

    Example:
        >>> check_whole("bias_field: order", 3, low=1, high=6)
        3
        >>> check_whole("bias_field: order", True, low=1, high=6)
        Traceback (most recent call last):
        ValueError: bias_field: order must be a whole number from 1 to 6, got True.
    """
    if not (_is_number(value) and isinstance(value, int) and low <= value <= high):
        kind = f"a whole number{_within(low, high)}"
        raise ValueError(f"{where} must be {kind}, got {value!r}.")
    return value


def _is_number(value: object) -> TypeGuard[int | float]:
    """Whether draws, which are made in float32, can hold it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= _MOST


def _within(low: float, high: float) -> str:
    if math.isinf(high):
        return "" if math.isinf(low) else f", at least {low:g}"
    return f" from {low:g} to {high:g}"


def draw_uniform(value: Level, n: int, rng: Generator, *, columns: int = 0) -> Tensor:
    """Uniform values between the ends of a `Level`, (n,) or (n, columns)."""
    a, b = value if isinstance(value, tuple | list) else (value, value)
    shape = (n, columns) if columns else (n,)
    if a == b:  # nothing to draw
        return torch.full(shape, float(a), device=rng.device)
    u = torch.rand(shape, generator=rng, device=rng.device)
    return u.mul_(b - a).add_(a).clamp_(a, b)


def draw_whole(value: Level, n: int, rng: Generator) -> Tensor:
    """Whole numbers from the one end of a `Level` to the other, as if equally likely.

    The last is a thousandth rarer than the others, so that float32 never reaches the
    next one.

    Example:
        >>> draw_whole((0, 2), 300, torch.Generator()).unique().tolist()
        [0.0, 1.0, 2.0]
    """
    a, b = value if isinstance(value, tuple | list) else (value, value)
    return draw_uniform((a, b + 0.999), n, rng).floor()


def draw_log_uniform(value: Level, n: int, rng: Generator) -> Tensor:
    """Values whose logarithm is uniform between the ends of a `Level`, (n,).

    Levels are drawn this way because halving a noise matters as much as doubling it.
    """
    a, b = value if isinstance(value, tuple | list) else (value, value)
    log_level = draw_uniform((math.log(a), math.log(b)), n, rng)
    return log_level.exp().clamp(a, b)


def draw_normal(x: Tensor, rng: Generator) -> Tensor:
    """Standard normal numbers shaped like ``x``, in a buffer the caller owns.

    Args:
        x: Gives shape, dtype and device.
        rng: Where the randomness comes from.
    """
    return fill_normal(torch.empty(x.shape, device=rng.device), rng).to(x)


def computable(x: Tensor) -> Tensor:
    """``x`` itself, or in float32 when it is half precision.

    Raises:
        TypeError: ``x`` is not floating point.
        ValueError: ``x`` is not (B, C, X, Y) or (B, C, X, Y, Z).
    """
    if not x.is_floating_point():
        raise TypeError(
            f"images must be floating point, got {x.dtype}. Convert with x.float()."
        )
    if x.ndim not in (4, 5):
        raise ValueError(
            f"images must be (B, C, X, Y) or (B, C, X, Y, Z), got {tuple(x.shape)}. "
            "Add batch and channel axes with x[None, None]."
        )
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def as_given(y: Tensor, x: Tensor) -> Tensor:
    """``y`` in the dtype of ``x``; what half precision cannot hold is its largest.

    Example:
        >>> as_given(torch.tensor([7e4, -1.0]), torch.zeros(1).half()).tolist()
        [65504.0, -1.0]
    """
    if y.dtype == x.dtype:
        return y
    most = torch.finfo(x.dtype).max
    return y.clamp(-most, most).to(x.dtype)


def of_volumes(params: Params, key: str, x: Tensor) -> Tensor:
    """``params[key]`` with ``x``'s dtype and device, one row per volume of ``x``.

    Raises:
        ValueError: The key is missing, or belongs to another number of volumes.
    """
    if key not in params:
        raise ValueError(f"params need {key!r}, got {sorted(params)}.")
    value = params[key]
    if value.ndim == 0 or value.shape[0] != x.shape[0]:
        raise ValueError(
            f"params[{key!r}] must have one row for each of the {x.shape[0]} volumes, "
            f"got shape {tuple(value.shape)}."
        )
    return value.to(x)


def per_volume(value: Tensor, x: Tensor) -> Tensor:
    """(n,) as (n, 1, 1, ...) so that it multiplies whole volumes, never columns."""
    return value.view(-1, *[1] * (x.ndim - 1))


def spacing_of(x: Tensor, spacing_mm: Sequence[float] | None) -> tuple[float, ...]:
    """Voxel size per spatial axis of ``x``, in mm.

    Raises:
        ValueError: Not one positive number per spatial axis.
    """
    ndim = x.ndim - 2
    if spacing_mm is None:
        return (1.0,) * ndim
    spacing = tuple(float(s) for s in spacing_mm)
    if len(spacing) != ndim or not all(0 < s < math.inf for s in spacing):
        raise ValueError(
            f"spacing_mm must be {ndim} positive numbers, one per spatial axis, "
            f"got {spacing}."
        )
    return spacing
