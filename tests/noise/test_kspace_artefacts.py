"""Truncation, spikes, ghosts and thick slices against slow k-space arithmetic."""

import math

import pytest
import torch

from noise_models.anisotropy import Anisotropy, slice_matrix
from noise_models.ghosting import Ghosting
from noise_models.gibbs import Gibbs
from noise_models.spike import Spike


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(16, 15), (12, 13, 16)])
def test_gibbs_is_a_box_in_k_space(shape):
    x = torch.rand(1, 1, *shape)
    y = Gibbs().apply(x, {"kept": torch.tensor([[0.5, 0.7, 0.9]])}, seeded())
    axes = tuple(range(2, x.ndim))
    spectrum = torch.fft.fftn(x, dim=axes)
    for axis, kept in zip(axes, (0.5, 0.7, 0.9), strict=False):
        passed = torch.fft.fftfreq(x.shape[axis]).abs() <= kept / 2
        spectrum *= passed.view([-1 if a == axis else 1 for a in range(x.ndim)])
    slow = torch.fft.ifftn(spectrum, dim=axes).abs()
    torch.testing.assert_close(y, slow, atol=1e-5, rtol=1e-5)


def test_gibbs_keeping_everything_changes_nothing():
    x = torch.rand(2, 1, 9, 9, 9)
    assert torch.equal(Gibbs(kept=1.0)(x, rng=seeded()), x)


def test_gibbs_keeps_a_flat_image_flat():
    y = Gibbs(kept=0.3)(torch.ones(1, 1, 20, 21), rng=seeded())
    torch.testing.assert_close(y, torch.ones_like(y))


@pytest.mark.parametrize("shape", [(16, 12), (8, 10, 12)])
def test_spike_is_one_sample_of_k_space(shape):
    x = 1 + torch.rand(1, 1, *shape)
    params = {
        "amplitude": torch.tensor([0.2]),
        "frequency": torch.tensor([[0.26, -0.17, 0.4]]),
        "phase": torch.tensor([0.7]),
    }
    y = Spike().apply(x, params, seeded())
    axes = tuple(range(2, x.ndim))
    spectrum = torch.fft.fftn(x, dim=axes).to(torch.complex128)
    place = [round(f * s) % s for f, s in zip((0.26, -0.17, 0.4), shape, strict=False)]
    wave = 0.2 * math.prod(shape) * complex(math.cos(0.7), math.sin(0.7))
    spectrum[(0, 0, *place)] += wave
    slow = torch.fft.ifftn(spectrum, dim=axes).abs().float()
    torch.testing.assert_close(y, slow, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("period", [2, 3, 4])
def test_ghosts_are_a_modulation_of_k_space_lines(axis, period):
    x = torch.rand(1, 1, 12, 12, 12)
    params = {
        "intensity": torch.tensor([0.3]),
        "period": torch.tensor([float(period)]),
        "phase": torch.tensor([1.1]),
        "axis": torch.tensor([float(axis)]),
    }
    y = Ghosting().apply(x, params, seeded())
    line = torch.arange(12)
    turn = complex(math.cos(1.1), math.sin(1.1))
    modulation = 1 + 0.3 * turn * torch.cos(2 * math.pi * line / period)
    dim = 2 + axis
    spectrum = torch.fft.fft(x, dim=dim).movedim(dim, -1) * modulation
    slow = torch.fft.ifft(spectrum.movedim(-1, dim), dim=dim).abs()
    torch.testing.assert_close(y, slow, atol=1e-5, rtol=1e-5)


def test_periods_and_axes_come_equally_often():
    params = Ghosting(period=(2, 5)).draw(9000, seeded())
    for key, values in (("period", 4), ("axis", 3)):
        share = params[key].long().bincount().double() / 9000
        assert share[share > 0].tolist() == pytest.approx(
            [1 / values] * values, abs=0.02
        )


@pytest.mark.parametrize("thickness", [2.0, 3.5, 5.0])
def test_thick_slices_keep_a_slope_inside(thickness):
    line = torch.arange(60.0).view(1, 1, 60, 1)
    y = Anisotropy(thickness_mm=thickness, axis=0)(line, rng=seeded())
    torch.testing.assert_close(y[..., 8:-8, :], line[..., 8:-8, :], atol=1e-4, rtol=0)


def test_slices_no_thicker_than_a_voxel_change_nothing():
    x = torch.rand(1, 1, 9, 9, 9)
    noise = Anisotropy(thickness_mm=3.0)
    assert torch.equal(noise(x, rng=seeded(), spacing_mm=(3, 3, 3)), x)
    assert not torch.equal(noise(x, rng=seeded(), spacing_mm=(2, 2, 2)), x)


def test_thickness_in_mm_counts_voxels_by_their_size():
    x = torch.rand(1, 1, 24, 4)
    fine = Anisotropy(thickness_mm=3.0, axis=0)(x, rng=seeded(), spacing_mm=(0.5, 1))
    wide = Anisotropy(thickness_mm=6.0, axis=0)(x, rng=seeded(), spacing_mm=(1, 1))
    torch.testing.assert_close(fine, wide)


def test_slices_average_only_along_their_axis():
    x = torch.rand(1, 1, 1, 8, 1).expand(1, 1, 12, 8, 12)
    y = Anisotropy(thickness_mm=4.0, axis=0)(x, rng=seeded())
    torch.testing.assert_close(y, x.contiguous())
    assert not torch.allclose(Anisotropy(thickness_mm=4.0, axis=1)(x, rng=seeded()), x)


@pytest.mark.parametrize("size", [1, 5, 16])
@pytest.mark.parametrize("thickness", [1.3, 4.0, 40.0])
def test_slice_weights_sum_to_one(size, thickness):
    rows = slice_matrix(size, thickness).sum(1)
    torch.testing.assert_close(rows, torch.ones(size, dtype=torch.float64))


@pytest.mark.parametrize("model", [Ghosting, Anisotropy])
def test_fourth_axis_is_refused(model):
    with pytest.raises(
        ValueError, match="axis must be a whole number from 0 to 2, got 3"
    ):
        model(axis=3)


@pytest.mark.parametrize("axis", [1, 2])
def test_slices_are_the_same_along_every_axis(axis):
    x = torch.rand(1, 1, 16, 16, 16)
    first = Anisotropy(thickness_mm=3.5, axis=0)(x, rng=seeded())
    turned = Anisotropy(thickness_mm=3.5, axis=axis)(
        x.transpose(2, 2 + axis).contiguous(), rng=seeded()
    )
    torch.testing.assert_close(turned.transpose(2, 2 + axis), first)
