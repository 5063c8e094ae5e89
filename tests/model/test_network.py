"""The network keeps its promises: what is encoded, decoded, remembered, refused."""

import json

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from medvae.errors import UserError
from medvae.model.likelihood import Gaussian, Laplace
from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.objective import dvae
from medvae.model.posterior import Posterior
from medvae.model.weights import find_device, load_model, save_model

SMALL = {
    "grid_shape": (16, 24, 16),
    "channels": (4, 8),
    "latent_channels": 3,
    "sites": ("A", "B"),
}


def small(**changes):
    torch.manual_seed(0)
    return DenoisingVAE(NetworkConfig(**(SMALL | changes))).eval()


def volumes(n=2, shape=(16, 24, 16)):
    return torch.rand(n, 1, *shape, generator=torch.Generator().manual_seed(1))


def smooth_volumes():
    """Two volumes that fit into few codes: white noise would not."""
    places = torch.meshgrid(
        *(torch.linspace(-3, 3, n) for n in (16, 24, 16)), indexing="ij"
    )
    waves = [torch.cos(places[0] + places[1]), torch.sin(places[1]) * places[2] / 3]
    return 0.5 + 0.4 * torch.stack(waves)[:, None]


@pytest.mark.parametrize("latent", ["map", "vector"])
def test_encoding_is_deterministic_and_shaped_as_promised(latent):
    vae, x = small(latent=latent), volumes()
    first, second = vae.encode(x).mean, vae.encode(x).mean
    assert torch.equal(first, second)
    assert tuple(first.shape[1:]) == vae.config.latent_shape


def test_encode_returns_the_mean_and_not_mean_plus_std():
    vae, x = small(), volumes()
    head, _ = vae.encoder.head(vae.encoder.body((x - 0.5) / 0.5)).chunk(2, 1)
    assert torch.equal(vae.encode(x).mean, head)


@pytest.mark.parametrize("latent", ["map", "vector"])
def test_decoder_paints_the_grid(latent):
    vae, x = small(latent=latent), volumes()
    painted = vae.decode(vae.encode(x).mean, vae.site_inputs(["A", None]))
    assert painted.shape == x.shape


def test_two_dimensional_scans_train_too():
    vae = small(grid_shape=(16, 16), spacing_mm=(2.0, 2.0))
    x = torch.rand(2, 1, 16, 16)
    assert vae.decode(vae.encode(x).mean, vae.site_inputs(["A", "B"])).shape == x.shape


def test_a_map_takes_scans_of_another_size():
    vae = small()
    assert vae.encode(volumes(1, (32, 16, 24))).mean.shape == (1, 3, 8, 4, 6)


def test_site_changes_the_image_once_it_has_been_learned():
    vae, x = small(), volumes()
    for told in (*vae.decoder.told, vae.decoder.last_told):
        nn.init.normal_(told.affine.weight)
    z = vae.encode(x).mean
    a, b = (vae.decode(z, vae.site_inputs([s, s])) for s in "AB")
    assert (a - b).abs().max() > 1e-3


def test_no_site_means_the_average_site():
    vae = small()
    weight = vae.site_embedding.weight
    assert torch.allclose(vae.site_inputs([None])[0], weight.mean(0))


def test_unconditional_decoder_ignores_the_site():
    vae = small(sites=())
    assert vae.site_inputs([None]).abs().max() == 0
    with pytest.raises(ValueError, match="trained without sites"):
        vae.site_inputs(["anywhere"])


def test_unknown_site_names_those_known():
    with pytest.raises(ValueError, match="'C' is not among the training sites: A, B"):
        small().site_inputs(["C"])


def test_kl_is_zero_at_the_prior():
    assert Posterior(torch.zeros(2, 5), torch.zeros(2, 5)).kl().tolist() == [0, 0]


def test_kl_agrees_with_torch_distributions():
    mean, logvar = torch.randn(4, 6), torch.randn(4, 6)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(mean, (0.5 * logvar).exp()), normal(0, 1)
    ).sum(1)
    assert torch.allclose(Posterior(mean, logvar).kl(), expected, atol=1e-5)


def test_gaussian_likelihood_agrees_with_torch_distributions():
    x, painted = volumes(), volumes().flip(0)
    likelihood = Gaussian(scale=0.3)
    expected = torch.distributions.Normal(painted, 0.3).log_prob(x)
    got = likelihood(x, painted)
    assert torch.allclose(got, expected.flatten(1).sum(1), rtol=1e-5)


def test_likelihood_scale_below_its_floor_is_refused():
    with pytest.raises(ValueError, match=r"must exceed 0\.01, got 0\.001"):
        Gaussian(scale=0.001)


def test_one_batch_is_learned_by_heart():
    vae, x = small().train(), smooth_volumes()
    optimiser = torch.optim.Adam(vae.parameters(), lr=1e-2)
    rng, sites = torch.Generator().manual_seed(0), vae.site_inputs(["A", "B"]).detach()

    def likelihood(target, z):
        return vae.likelihood(target, vae.decode(z, sites))

    errors = []
    for _ in range(120):
        loss = -dvae(x, x[None], vae.encode, likelihood, rng).value.mean()
        optimiser.zero_grad()
        (loss / x[0].numel()).backward()
        optimiser.step()
        with torch.no_grad():
            painted = vae.decode(vae.encode(x).mean, sites)
            errors.append((painted - x).square().mean().item())
    assert errors[-1] < 0.1 * x.var().item()


def test_saved_model_gives_the_same_code(tmp_path):
    vae, x = small(), volumes()
    save_model(vae, tmp_path)
    assert torch.equal(load_model(tmp_path).encode(x).mean, vae.encode(x).mean)


def test_a_saved_model_keeps_its_likelihood_and_an_older_one_is_gaussian(tmp_path):
    save_model(small(likelihood="laplace"), tmp_path)
    assert isinstance(load_model(tmp_path).likelihood, Laplace)
    path = tmp_path / "config.json"
    content = json.loads(path.read_text())
    assert content["network"].pop("likelihood") == "laplace"
    path.write_text(json.dumps(content))
    assert isinstance(load_model(tmp_path).likelihood, Gaussian)


def test_a_folder_without_a_model_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match=r"not a run folder .* medvae train"):
        load_model(tmp_path)


def test_weights_of_another_network_are_refused(tmp_path):
    save_model(small(), tmp_path)
    config = (
        (tmp_path / "config.json")
        .read_text()
        .replace('"latent_channels": 3', '"latent_channels": 5')
    )
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(UserError, match=r"model\.safetensors: does not fit"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("medvae-model", "other", "not the configuration of a medvae model"),
        ('"version": 1', '"version": 99', "format version 99"),
        ('"latent": "map"', '"latent": "cube"', r"network\.latent"),
        ("{", "", "cannot be read as JSON"),
    ],
)
def test_a_damaged_configuration_names_what_is_wrong(tmp_path, before, after, message):
    save_model(small(), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(UserError, match=message):
        load_model(tmp_path)


def test_a_grid_that_cannot_be_halved_is_refused():
    with pytest.raises(ValidationError, match="multiples of 4 for 2 levels"):
        NetworkConfig(**(SMALL | {"grid_shape": (15, 24, 16)}))


def test_spacing_needs_one_number_an_axis():
    with pytest.raises(ValidationError, match="one number per axis"):
        NetworkConfig(**(SMALL | {"spacing_mm": (2.0, 2.0)}))


@pytest.mark.parametrize("axes", [1, 4])
def test_a_grid_has_two_axes_or_three(axes):
    with pytest.raises(ValueError, match="grid_shape must have 2 or 3 axes"):
        NetworkConfig(grid_shape=(8,) * axes, spacing_mm=(1.0,) * axes, channels=(2,))


def test_automatic_means_the_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for there, device in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert find_device("auto") == device
