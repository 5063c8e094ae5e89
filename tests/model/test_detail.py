"""How much of what a code lacks is kept: the filter and the fit of its gain."""

import numpy as np
import pytest
import torch

from medvae.errors import UserError
from medvae.model.detail import BANDS, DetailFit, frequency, kept
from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.weights import load_model, save_model

SPACING = (2.0, 1.0, 3.0)
SHAPE = (10, 16, 9)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def full_gain(gain):
    """The gain at every frequency of a whole spectrum, by numpy."""
    axes = np.meshgrid(
        *(np.fft.fftfreq(n, mm) for n, mm in zip(SHAPE, SPACING, strict=True)),
        indexing="ij",
    )
    radial = np.sqrt(sum(axis**2 for axis in axes)) * 2 * min(SPACING)
    return np.interp(radial, (np.arange(BANDS) + 0.5) / BANDS, gain), radial


def test_the_filter_is_that_of_a_whole_spectrum():
    gain, x = torch.rand(BANDS), noise(2, *SHAPE)
    at, _ = full_gain(gain.numpy())
    want = np.fft.ifftn(np.fft.fftn(x.numpy(), axes=(1, 2, 3)) * at, axes=(1, 2, 3))
    found = kept(x, gain, SPACING)
    np.testing.assert_allclose(found.numpy(), want.real, atol=1e-5)


def test_a_wave_is_kept_by_its_own_frequency_alone():
    x = torch.arange(32.0)
    wave = torch.cos(2 * torch.pi * x * 4 / 32)  # a quarter of Nyquist
    volume = wave.expand(8, 8, 32).contiguous()
    gain = torch.zeros(BANDS)
    gain[BANDS // 4 - 1 : BANDS // 4 + 1] = 1
    assert torch.allclose(kept(volume, gain, (1.0,) * 3), volume, atol=1e-5)
    assert kept(volume, 1 - gain, (1.0,) * 3).abs().max() < 1e-5


def test_planes_have_a_gain_too():
    x = noise(3, 12, 8)
    assert torch.allclose(kept(x, torch.ones(BANDS), (1.0, 1.0)), x, atol=1e-5)
    assert frequency((12, 8), (1.0, 1.0)).shape == (12, 5)


def test_the_fit_is_least_squares_in_every_band():
    lacks, residual = noise(3, *SHAPE), noise(3, *SHAPE, seed=1)
    lacks += 0.6 * residual
    fit = DetailFit(SPACING)
    fit.add(lacks[:2], residual[:2])
    fit.add(lacks[2:], residual[2:])
    _, radial = full_gain(np.ones(BANDS))
    band = np.minimum((radial * BANDS).astype(int), BANDS - 1)
    axes = (1, 2, 3)
    x, r = (np.fft.fftn(v.numpy().astype(float), axes=axes) for v in (lacks, residual))
    for k, found in enumerate(fit.gain().tolist()):
        inside = np.broadcast_to(band == k, x.shape)
        if not inside.any():
            continue
        # One real number for both parts of every coefficient.
        a = np.concatenate([r[inside].real, r[inside].imag])[:, None]
        b = np.concatenate([x[inside].real, x[inside].imag])
        (want,), *_ = np.linalg.lstsq(a, b, rcond=None)
        assert found == pytest.approx(np.clip(want, 0, 1), abs=1e-5)


def test_what_the_scanner_added_is_not_kept():
    """Detail at high frequencies, a scanner's shading at low ones."""
    low, high = (noise(4, 16, 16, 16, seed=k) for k in (0, 1))
    split = torch.zeros(BANDS)
    split[: BANDS // 2] = 1
    shading = kept(low, split, (1.0,) * 3)
    detail = kept(high, 1 - split, (1.0,) * 3)
    fit = DetailFit((1.0,) * 3)
    fit.add(detail, detail + shading)
    gain = fit.gain()
    assert gain[: BANDS // 2 - 1].max() < 0.1
    assert gain[BANDS // 2 + 1 :].min() > 0.9


def test_where_nothing_is_lacking_all_is_kept():
    fit = DetailFit(SPACING)
    assert fit.gain().tolist() == [1.0] * BANDS
    fit.add(torch.zeros(1, *SHAPE), torch.zeros(1, *SHAPE))
    assert fit.gain().tolist() == [1.0] * BANDS


def test_a_model_keeps_its_gain_and_an_older_one_keeps_all_detail(tmp_path):
    from safetensors.torch import load_file, save_file

    config = NetworkConfig(
        grid_shape=(8, 8, 8), channels=(4,), latent_channels=2, sites=("A",)
    )
    vae = DenoisingVAE(config)
    vae.detail.copy_(torch.linspace(0, 1, BANDS))
    save_model(vae, tmp_path)
    assert torch.equal(load_model(tmp_path).detail, vae.detail)
    older = load_file(tmp_path / "model.safetensors")
    del older["detail"]
    save_file(older, tmp_path / "model.safetensors")
    assert load_model(tmp_path).detail.tolist() == [1.0] * BANDS


def test_a_gain_of_one_changes_no_bit():
    x = noise(1, *SHAPE)
    assert torch.equal(kept(x, torch.ones(BANDS), SPACING), x)


@pytest.mark.parametrize("wrong", [-0.1, 1.1])
def test_a_damaged_gain_is_refused(tmp_path, wrong):
    config = NetworkConfig(grid_shape=(8, 8, 8), channels=(4,), latent_channels=2)
    vae = DenoisingVAE(config)
    vae.detail[3] = wrong
    save_model(vae, tmp_path)
    with pytest.raises(UserError, match="detail must lie between 0 and 1"):
        load_model(tmp_path)
