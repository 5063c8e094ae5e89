"""Several corruptions in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from noise_models.base import NoiseModel, Params, as_given, computable


@dataclass(frozen=True)
class Chain(NoiseModel):
    """Several corruptions in a row, the first one closest to the anatomy.

    Parameters of step 0, a ``blur``, are called ``"0.blur.fwhm_mm"`` and so on, so a
    model may come twice. In a preset: ``model: chain`` with the list ``steps``.

    Args:
        steps: The models, in order of application.

    Raises:
        ValueError: There are no steps.
        TypeError: A step is not a noise model.

    Example:
        >>> import torch, noise_models
        >>> chain = Chain([noise_models.get("blur"), noise_models.get("rician")])
        >>> rng = torch.Generator().manual_seed(0)
        >>> sorted(chain.draw(1, rng))
        ['0.blur.fwhm_mm', '1.rician.sigma']
    """

    name: ClassVar[str] = "chain"

    steps: Sequence[NoiseModel]

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))  # frozen, and hashable
        if not self.steps:
            raise ValueError("chain: steps must hold at least one model, got none.")
        for step in self.steps:
            if not isinstance(step, NoiseModel):
                raise TypeError(f"chain: steps must be noise models, got {step!r}.")

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        params: Params = {}
        for prefix, step in self._named():
            drawn = step.draw(n, rng, source=source)
            params.update({prefix + key: value for key, value in drawn.items()})
        return params

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        y = computable(x)  # between steps nothing is rounded to half precision
        for number, (prefix, step) in enumerate(self._named()):
            own = {
                key.removeprefix(prefix): value
                for key, value in params.items()
                if key.startswith(prefix)
            }
            corrupt = step.spend if number else step.apply  # what we made we may spend
            y = corrupt(y, own, rng, spacing_mm=spacing_mm)
        return as_given(y, x)

    def _named(self) -> list[tuple[str, NoiseModel]]:
        """Each step with the prefix of its parameters."""
        return [(f"{i}.{step.name}.", step) for i, step in enumerate(self.steps)]
