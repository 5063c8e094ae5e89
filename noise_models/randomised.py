"""A scanner that could be anyone's: wide, unfitted ranges of the forward model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator, Tensor

from noise_models.base import Level, NoiseModel, Params
from noise_models.bias_field import BiasField
from noise_models.blur import Blur
from noise_models.chain import Chain
from noise_models.contrast import Contrast
from noise_models.field_of_view import FieldOfView
from noise_models.registry import register
from noise_models.rician import Rician
from noise_models.scalp import Scalp


@register("randomised")
@dataclass(frozen=True)
class Randomised(NoiseModel):
    """A scanner that could be anyone's: wide, unfitted ranges of the forward model.

    Contrast, blur, bias field and Rician noise in the order of the fitted
    ``scanner``, ``y = |bias * PSF[g(x)] + n1 + i n2|``, but with ranges far wider than
    real scanners, after the domain randomisation of SynthSeg (Billot et al. 2023,
    doi:10.1016/j.media.2023.102789). It is the rival that a fitted noise must beat.
    Unlike SynthSeg the contrast stays monotone, because images are corrupted here,
    not painted from labels. Parameters are named as in the `Chain` it is.

    Args:
        contrast: Log-std of the slopes of the intensity curve; see `Contrast`.
        fwhm_mm: PSF width, drawn for each axis; see `Blur`.
        bias_rms: RMS of the log bias field; see `BiasField`.
        sigma: Noise std in reference units; see `Rician`.
        scalp: Ratio of the brightness of fat, see `Scalp`; None leaves it alone.
        lost: Share that is not scanned below, see `FieldOfView`; None leaves it alone.

    Raises:
        ValueError: A setting is outside its range.

    Example:
        >>> import torch
        >>> rng = torch.Generator().manual_seed(0)
        >>> list(Randomised().draw(2, rng))
        ['0.contrast.knots_in', '0.contrast.knots_out', '1.blur.fwhm_mm',
         '2.bias_field.coefficients', '3.rician.sigma']
    """

    contrast: Level = (0.1, 1.0)
    fwhm_mm: Level = (0.0, 5.0)
    bias_rms: Level = (0.05, 0.6)
    sigma: Level = (0.005, 0.15)
    scalp: Level | None = None
    lost: Level | None = None

    def __post_init__(self) -> None:
        try:
            self.as_chain()
        except ValueError as error:
            raise ValueError(f"randomised: {error}") from error

    def as_chain(self) -> Chain:
        """The same corruption as a chain of its parts."""
        scalp = () if self.scalp is None else (Scalp(ratio=self.scalp),)
        ends = () if self.lost is None else (FieldOfView(lost=self.lost),)
        parts = (
            Contrast(strength=self.contrast),
            *scalp,
            Blur(fwhm_mm=self.fwhm_mm),
            BiasField(rms=self.bias_rms),
            Rician(sigma=self.sigma),
            *ends,
        )
        return Chain(parts)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        return self.as_chain().draw(n, rng, source=source)

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        return self.as_chain().apply(x, params, rng, spacing_mm=spacing_mm)
