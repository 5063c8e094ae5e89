"""A single volume is convolved in halves, and nobody can tell."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from medvae.model.lone_volume import LoneConv3d, hasten_lone_volumes
from medvae.model.network import DenoisingVAE, NetworkConfig


def pair(**options):
    """A convolution as torch has it, and the same one hastened."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv3d(3, 5, **options))
    hastened = deepcopy(plain)
    hasten_lone_volumes(hastened)
    return plain, hastened


def result_and_gradients(network, x):
    x = x.clone().requires_grad_()
    y = network(x)
    weigh = torch.rand(y.shape, generator=torch.Generator().manual_seed(1))
    (y * weigh).sum().backward()
    return [y.detach(), x.grad, *(p.grad for p in network.parameters())]


@pytest.mark.parametrize("planes", [8, 12, 13, 14])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": (3, 1, 5), "padding": (1, 0, 2), "bias": False},
        {"kernel_size": (5, 3, 3), "padding": (0, 1, 1), "stride": (3, 2, 1)},
    ],
    ids=str,
)
def test_halves_give_the_result_and_the_gradients_of_the_whole(options, planes):
    x = torch.rand(1, 3, planes, 9, 7)
    plain, hastened = pair(**options)
    assert isinstance(hastened[0], LoneConv3d)
    for mine, theirs in zip(
        result_and_gradients(hastened, x), result_and_gradients(plain, x), strict=True
    ):
        assert mine.shape == theirs.shape
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def asked_of(monkeypatch, network, x):
    """The batch sizes that torch's convolution was asked for."""
    sizes, whole = [], torch.nn.functional.conv3d

    def noted(volumes, *rest, **options):
        sizes.append(len(volumes))
        return whole(volumes, *rest, **options)

    monkeypatch.setattr("medvae.model.lone_volume.conv3d", noted)
    monkeypatch.setattr("torch.nn.modules.conv.F.conv3d", noted)
    network(x)
    return sizes


@pytest.mark.parametrize(
    ("x", "size"),
    [
        (torch.rand(1, 3, 8, 8, 8), 2),
        (torch.rand(1, 3, 7, 8, 8), 2),  # halves that share a plane
        (torch.rand(1, 3, 1, 8, 8), 1),
        (torch.rand(3, 3, 8, 8, 8), 3),
        (torch.rand(1, 3, 84, 84, 2), 1),  # large enough for torch to ask oneDNN
        (torch.rand(1, 3, 8, 8, 8, dtype=torch.float64), 1),
    ],
    ids=["lone", "odd", "plane", "batch", "large", "double"],
)
def test_only_what_torch_would_be_slow_at_is_halved(x, size, monkeypatch):
    _, hastened = pair(kernel_size=3, padding=1)
    assert asked_of(monkeypatch, hastened.to(x.dtype), x) == [size]


def test_half_precision_takes_its_own_kernels(monkeypatch):
    _, hastened = pair(kernel_size=3, padding=1)
    with torch.autocast("cpu", torch.bfloat16):
        assert asked_of(monkeypatch, hastened, torch.rand(1, 3, 8, 8, 8)) == [1]


def test_a_volume_without_a_batch_is_convolved_as_torch_does_it():
    plain, hastened = pair(kernel_size=3, padding=1)
    x = torch.rand(3, 8, 8, 8)
    assert torch.equal(plain(x), hastened(x))


def test_a_traced_network_takes_any_number_of_volumes():
    plain, hastened = pair(kernel_size=3, padding=1)
    x = torch.rand(3, 3, 8, 8, 8)
    traced = torch.jit.trace(hastened, x[:1])
    torch.testing.assert_close(traced(x), plain(x))


def test_an_exported_network_takes_any_number_of_volumes():
    plain, hastened = pair(kernel_size=3, padding=1)
    several = {"input": {0: torch.export.Dim("volumes")}}
    x = torch.rand(3, 3, 8, 8, 8)
    exported = torch.export.export(hastened, (x[:2],), dynamic_shapes=several)
    torch.testing.assert_close(exported.module()(x), plain(x))


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "dilation": 2},
        {"kernel_size": 3, "padding": "same"},
        {"kernel_size": 3, "padding": 1, "padding_mode": "replicate"},
        {"kernel_size": 1},
        {"kernel_size": 5, "padding": 2},
    ],
    ids=str,
)
def test_what_cannot_be_halved_so_simply_is_left_alone(options):
    plain, hastened = pair(**options)
    assert type(hastened[0]) is nn.Conv3d
    x = torch.rand(1, 3, 8, 8, 8)
    assert torch.equal(plain(x), hastened(x))


def test_the_network_s_lone_volumes_are_hastened_and_its_weights_are_as_before():
    config = NetworkConfig(grid_shape=(16, 16, 16), channels=(4, 8), latent_channels=2)
    vae = DenoisingVAE(config)
    convolutions = [m for m in vae.modules() if isinstance(m, nn.Conv3d)]
    assert {type(m) for m in convolutions if m.kernel_size[0] > 1} == {LoneConv3d}
    x = torch.rand(2, 1, 16, 16, 16)
    together = vae.encode(x)
    for number in range(2):
        alone = vae.encode(x[number : number + 1])
        torch.testing.assert_close(alone.mean[0], together.mean[number])


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="needs oneDNN")
@pytest.mark.parametrize("shape", [(48, 56, 48), (96, 112, 96), (56, 48, 40)], ids=str)
def test_torch_s_plain_kernel_is_never_asked(shape):
    vae = DenoisingVAE(NetworkConfig(grid_shape=shape, channels=(4, 8, 16)))
    cpu = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=cpu, record_shapes=True) as found:
        z = vae.encode(torch.rand(1, 1, *shape)).mean
        vae.decode(z, vae.site_inputs([None]))
    slow = [
        event.input_shapes[:2]
        for event in found.key_averages(group_by_input_shape=True)
        if event.key == "aten::slow_conv3d_forward" and event.input_shapes[1][-1] > 1
    ]
    assert slow == []
