"""Which bound a run raises, from its settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from medvae.training.section import Section

if TYPE_CHECKING:
    from medvae.model.objective import Bound

CLEAN = ("vae", "iwae")
READS = {
    "vae": ("samples", "beta", "free_bits"),
    "iwae": ("samples",),
    "dvae": ("corruptions", "samples", "beta", "free_bits"),
    "sivi": ("corruptions", "samples", "extra"),
    "diwae": ("corruptions", "samples", "weighting"),
    "invariance": ("corruptions", "samples", "lam", "beta", "free_bits"),
}


class ObjectiveSettings(Section):
    """The criterion, one of :mod:`medvae.model.objective`, and what it reads.

    A setting that the objective would not look at is refused.

    Args:
        name: ``dvae``, the denoising bound; ``sivi``, tightened by encoder passes;
            ``diwae``, importance weighted; ``invariance``, charged for what the code
            tells of the corruption; ``vae`` and ``iwae`` see clean scans only.
        corruptions: M, fresh corruptions of every scan at every step.
        samples: K, codes drawn for each.
        extra: J of ``sivi``, further corruptions that are only encoded.
        weighting: Of ``diwae``.
        lam: Of ``invariance``: -1 is ``sivi``, 0 is ``dvae``, more buys invariance.
        beta: Weight of the KL; 1 is the bound, below 1 there is none.
        free_bits: Nats that each latent dimension may use at no cost.

    Example:
        >>> ObjectiveSettings(name="invariance", lam=2.0).copies
        2
    """

    name: Literal["dvae", "sivi", "diwae", "invariance", "vae", "iwae"] = "dvae"
    corruptions: int = Field(2, ge=1)
    samples: int = Field(1, ge=1)
    extra: int = Field(0, ge=0)
    weighting: Literal["per_corruption", "flat", "mixture"] = "flat"
    lam: float = Field(0.0, ge=-1)
    beta: float = Field(1.0, ge=0)
    free_bits: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _every_setting_counts(self) -> ObjectiveSettings:
        for key, field in type(self).model_fields.items():
            value = getattr(self, key)
            if key not in ("name", *READS[self.name]) and value != field.default:
                raise ValueError(
                    f"{key} {value} would change nothing: {self.name} reads only "
                    f"{', '.join(READS[self.name])}. Leave it out."
                )
        if self.name == "invariance" and self.corruptions < 2:
            raise ValueError(
                "invariance compares corruptions of the same scan and needs "
                f"corruptions of at least 2, got {self.corruptions}."
            )
        if self.name == "sivi" and self.copies < 2:
            raise ValueError("sivi needs extra of at least 1, got 0. Or use dvae.")
        return self

    @property
    def copies(self) -> int:
        """Corruptions to make of every scan at every step; 0 for clean objectives."""
        return 0 if self.name in CLEAN else self.corruptions + self.extra

    @property
    def painted(self) -> int:
        """How often every scan is painted for each of the K codes."""
        return 1 if self.name in CLEAN else self.corruptions

    def bound(self) -> Callable[..., Bound]:
        """The objective with its options in place.

        It is called as ``(x, corrupted, encode, log_likelihood, rng)``.
        """
        from medvae.model import objective

        options = {
            key: getattr(self, key) for key in READS[self.name] if key != "corruptions"
        }
        return partial(getattr(objective, self.name), **options)
