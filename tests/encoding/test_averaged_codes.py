"""Codes averaged over corrupted copies: what they are made of, and of nothing else."""

import pytest
import torch

import noise_models
from medvae.encoding.averaged import AveragedEncoder
from medvae.encoding.encoder import Encoder
from medvae.model.network import DenoisingVAE, NetworkConfig

NOISE = noise_models.get("rician", sigma=(0.2, 0.2))


def network():
    torch.manual_seed(0)
    config = NetworkConfig(grid_shape=(16, 16, 16), channels=(4, 8), latent_channels=2)
    return DenoisingVAE(config).eval()


def volumes(n=3):
    return torch.rand(n, 1, 16, 16, 16, generator=torch.Generator().manual_seed(1))


def test_without_noise_the_code_is_that_of_the_raw_scan():
    vae, x = network(), volumes()
    mean, std = AveragedEncoder(vae, noise_models.get("none"), 3).encode_batch(x)
    raw = Encoder(vae).encode_batch(x)
    assert torch.allclose(mean, raw[0], atol=1e-5)
    assert torch.allclose(std, raw[1], rtol=1e-4)


def test_many_copies_settle_and_differ_from_the_raw_scan():
    vae, x = network(), volumes(1)
    one, many, more = (
        AveragedEncoder(vae, NOISE, copies).encode_batch(x)[0] for copies in (1, 40, 80)
    )
    raw = Encoder(vae).encode_batch(x)[0]
    assert (many - more).abs().mean() < 0.3 * (one - more).abs().mean()
    assert (many - raw).abs().mean() > 3 * (many - more).abs().mean()


def test_spread_of_the_copies_is_part_of_the_width():
    vae, x = network(), volumes(1)
    _, std = AveragedEncoder(vae, NOISE, 20).encode_batch(x)
    assert (std > Encoder(vae).encode_batch(x)[1]).float().mean() > 0.5


def test_a_scan_has_one_code_whoever_else_is_in_its_batch():
    vae, x = network(), volumes()
    encoder = AveragedEncoder(vae, NOISE, 2)
    together, alone = encoder.encode_batch(x)[0], encoder.encode_batch(x[1:2])[0]
    assert torch.allclose(together[1:2], alone, atol=1e-6)


def test_no_copies_are_refused():
    with pytest.raises(ValueError, match="copies must be at least 1, got 0"):
        AveragedEncoder(network(), NOISE, 0)
