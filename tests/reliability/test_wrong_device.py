"""Nothing is made on the wrong device: shown without a GPU, see imaginary_gpu.py."""

import math
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from imaginary_gpu import GPU, OnGpu, imaginary_gpu
from tiny_fit import fitted_noise

import noise_models
from medvae.encoding import Encoder
from medvae.encoding.windows import encode_windows
from medvae.model.network import DenoisingVAE
from medvae.training.data import Entry
from medvae.training.module import DenoisingTraining
from medvae.training.run import network_of

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from training_material import SHAPE, settings

FITTED = "scanner"
OBJECTIVES = ("dvae", "sivi", "diwae", "invariance", "vae", "iwae")


def model_called(name):
    return fitted_noise() if name == FITTED else noise_models.load(name)


def heads(*shape):
    x = 0.3 + torch.rand(shape, generator=torch.Generator().manual_seed(7))
    x[..., :2] = 0
    return x


def seeded(device="cpu"):
    return torch.Generator(device).manual_seed(3)


@pytest.mark.parametrize("name", noise_models.names())
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (4.0, 5.0, 6.0)])
def test_a_corruption_stays_where_its_scans_are(name, spacing_mm):
    model, x = model_called(name), heads(3, 1, 12, 14, 16)
    known = {"spacing_mm": spacing_mm}
    here = model(x, rng=seeded(), **known)
    with imaginary_gpu():
        there = model(x.to(GPU), rng=seeded(GPU), **known)
        assert isinstance(there, OnGpu)
        assert torch.isfinite(there.cpu()).all()
        same = model(x.to(GPU), rng=seeded(), **known)
        assert isinstance(same, OnGpu)
        numbers = same.cpu()
    torch.testing.assert_close(numbers, here, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_step_of_training_stays_where_its_batch_is(objective):
    copies = {"invariance": 2, "sivi": 1}.get(objective, 1)
    more = {"sivi": ["objective.extra=1"], "vae": [], "iwae": []}.get(
        objective, [f"objective.corruptions={copies}"]
    )
    sees_noise = objective not in ("vae", "iwae")
    config = settings(
        f"objective.name={objective}", *more, noise="rician" if sees_noise else "none"
    )
    torch.manual_seed(0)
    vae = DenoisingVAE(network_of(config, ("A", "B")))
    entries = [Entry(i, f"s{i}", "AB"[i], "AB"[i]) for i in range(2)]
    noise = fitted_noise() if sees_noise else noise_models.get("none")
    batch = {"image": heads(2, 1, *SHAPE), "entry": torch.arange(2)}
    with imaginary_gpu():
        steps = DenoisingTraining(vae, noise, config, entries, entries).to(GPU)
        there = {key: value.to(GPU) for key, value in batch.items()}
        loss = -steps.bound(there, "train", 0).objective.sum()
        assert isinstance(loss, OnGpu)
        loss.backward()
        weights = [p for p in steps.parameters() if p.grad is not None]
        assert len(weights) > 10
        assert all(isinstance(p.grad, OnGpu) for p in weights)
        assert math.isfinite(loss.item())


# Tensors such as the imaginary ones cannot be sliced in inference mode.
encode = torch.no_grad()(Encoder.encode_batch.__wrapped__)
decode = torch.no_grad()(Encoder.decode_batch.__wrapped__)


def test_codes_and_images_are_those_of_the_cpu_and_come_back_to_it():
    torch.manual_seed(0)
    vae = DenoisingVAE(network_of(settings(), ("A", "B"))).eval()
    x = heads(2, 1, *SHAPE)
    here = Encoder(vae)
    mean, _ = here.encode_batch(x)
    painted = here.decode_batch(mean, "B")
    large = heads(32, 24, 16)
    whole, _ = encode_windows(here.encode_batch, large, SHAPE, vae.config.stride)
    with imaginary_gpu():
        there = Encoder(vae, GPU)
        code, _ = encode(there, x)
        image = decode(there, mean, "B")
        assert isinstance(code, OnGpu)
        assert isinstance(image, OnGpu)
        code, image = code.cpu(), image.cpu()
        part = partial(encode, there)
        large, _ = encode_windows(part, large, SHAPE, vae.config.stride)
    torch.testing.assert_close(code, mean)
    torch.testing.assert_close(image, painted)
    torch.testing.assert_close(large, whole)


def test_the_imaginary_gpu_refuses_what_a_gpu_refuses():
    with imaginary_gpu():
        x = torch.ones(4, device=GPU)
        with pytest.raises(RuntimeError, match="two devices"):
            x + torch.ones(4)
        with pytest.raises(RuntimeError, match="generator of another device"):
            torch.rand(4, generator=torch.Generator(), device=GPU)
        with pytest.raises(RuntimeError):
            x.numpy()
        assert (x + torch.tensor(1.0))[torch.tensor([0])].tolist() == [2.0]
