"""Stages of the corruptions, for the profile: which functions do which part."""

from __future__ import annotations

from measured.profile import Stages

NORMALS = ("noise_models.normals._fill_block",)

FOUR_EFFECTS: Stages = {
    "contrast": ("noise_models.contrast.Contrast.apply",),
    "PSF: matrix products along three axes": ("noise_models.blur.Blur.spend",),
    "bias field": ("noise_models.bias_field.BiasField.spend",),
    "normals, two a voxel": NORMALS,
    "magnitude": ("noise_models.rician.Rician.spend",),
}
"""Of `randomised`."""

STAGES_OF_FLOOR: Stages = {
    "normals, two a voxel": ("torch.randn",),
    "Fourier transform forth": ("torch.fft.rfftn",),
    "Fourier transform back": ("torch.fft.irfftn",),
    "copy": ("torch.Tensor.clone",),
}
"""Of `rivals.floor`."""

_FORWARD = "noise_models.scanner.forward"
_ADDED = "noise_models.scanner.resampled_noise"

FITTED: Stages = {
    "drawing a scanner": ("noise_models.scanner.model.ScannerNoise.draw",),
    "spectra": (f"{_FORWARD}.spectra", f"{_ADDED}.lacking_spectrum"),
    "shadings and noise maps": (
        f"{_FORWARD}.fields_of",
        "noise_models.scanner.fields.Fields.shading",
        "noise_models.scanner.fields.Fields.flat_noise",
    ),
    "contrast curve": (
        "noise_models.contrast.Curve.at",
        "noise_models.contrast.Curve.slope_at",
    ),
    "PSF: matrix products along three axes": (f"{_FORWARD}.filtered",),
    "local mean": (f"{_FORWARD}.local_mean",),
    "normals": NORMALS,
    "colour: Fourier transform": (f"{_ADDED}.coloured_noise",),
    "Rice moments": (f"{_ADDED}.rice_moments",),
    "signal under A's magnitude": (f"{_ADDED}.at_coils",),
    "bending to a skewness": (f"{_ADDED}._skewed",),
    "the rest of the noise's arithmetic": (f"{_ADDED}.in_blocks",),
}
"""Of the fitted model on a grid that no scanner stores, as in training."""
