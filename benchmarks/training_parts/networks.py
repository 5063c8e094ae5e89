"""What a step costs by network: ours, variants of ours, and MONAI's autoencoders."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from corruption_parts.scanners import heads
from measured.memory import forget_peak, peak_mib
from monai.networks.blocks import Convolution, ResidualUnit
from torch import Tensor, nn

from medvae.model.network import ACT, ConvDecoder, DenoisingVAE, NetworkConfig

WARM = 3  # steps before the clock runs
LOOK = 5  # steps between two looks at the error
ERRORS = (0.25, 0.2)  # that networks are compared at

Paint = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Volumes to their reconstruction and the KL of every volume."""


def ours(shape: tuple[int, ...]) -> tuple[nn.Module, Paint]:
    """The default network."""
    vae = DenoisingVAE(NetworkConfig(grid_shape=shape))

    def paint(x: Tensor) -> tuple[Tensor, Tensor]:
        q = vae.encode(x)
        z = q.sample(torch.Generator().manual_seed(0))
        return vae.decode(z, vae.site_inputs([None] * len(x))), q.kl()

    return vae, paint


def channels_first(shape: tuple[int, ...]) -> tuple[nn.Module, Paint]:
    """The default network, weights not laid out channels last."""
    vae, _ = ours(shape)
    vae.to(memory_format=torch.contiguous_format)

    def paint(x: Tensor) -> tuple[Tensor, Tensor]:
        q = vae.encoder((x - vae.CENTRE) / vae.SPREAD)
        z = q.sample(torch.Generator().manual_seed(0))
        return vae.decode(z, vae.site_inputs([None] * len(x))), q.kl()

    return vae, paint


class Grow(nn.Module):
    """Nearest-neighbour resize, then a convolution."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(before, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Twice the size."""
        return self.conv(nn.functional.interpolate(x, scale_factor=2.0))


def resized(shape: tuple[int, ...]) -> tuple[nn.Module, Paint]:
    """The default network with resize convolutions instead of transposed ones."""
    vae, paint = ours(shape)
    old = list(vae.decoder.grow)
    vae.decoder.grow = nn.ModuleList(
        Grow(layer.in_channels, layer.out_channels) for layer in old
    )
    vae.to(memory_format=torch.channels_last_3d)
    return vae, paint


def instance_norm(shape: tuple[int, ...]) -> tuple[nn.Module, Paint]:
    """The default network with instance instead of group normalisation."""
    vae, paint = ours(shape)
    for module in list(vae.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, nn.InstanceNorm3d(child.num_channels))
    return vae, paint


class Unpainted(ConvDecoder):
    """The decoder without its layers at the image's own resolution."""

    def __init__(self, config: NetworkConfig, embedding: int) -> None:
        super().__init__(config, embedding)
        self.grow[-1] = nn.ConvTranspose3d(config.channels[0], 1, 2, stride=2)
        del self.last_told, self.paint

    def forward(self, z: Tensor, site: Tensor) -> Tensor:
        """Every place of the last map paints its own 2 x 2 x 2 voxels."""
        features = self.head(z)
        for mix, told, grow in zip(self.mix, self.told, self.grow, strict=True):
            features = grow(told(mix(features), site))
        return torch.as_tensor(features)


def all_strided(shape: tuple[int, ...]) -> tuple[nn.Module, Paint]:
    """The default network without any convolution at full resolution."""
    vae, paint = ours(shape)
    vae.decoder = Unpainted(vae.config, vae.EMBEDDING)
    vae.to(memory_format=torch.channels_last_3d)
    return vae, paint


def full_stem(shape: tuple[int, ...]) -> tuple[nn.Module, Paint]:
    """The default network with a convolution at full resolution before the first."""
    vae, paint = ours(shape)
    first, *rest = vae.encoder.body
    wide = vae.config.channels[0]
    narrow = vae.decoder.paint[0].in_channels
    norm = ("GROUP", {"num_groups": narrow})
    stem = Convolution(3, 1, narrow, kernel_size=3, act=ACT, norm=norm)
    again = ResidualUnit(
        3, narrow, wide, 2, subunits=2, act=ACT, norm=("GROUP", {"num_groups": 8})
    )
    del first
    vae.encoder.body = nn.Sequential(stem, again, *rest)
    vae.to(memory_format=torch.channels_last_3d)
    return vae, paint


def compiled(shape: tuple[int, ...]) -> tuple[nn.Module, Paint]:
    """The default network through torch.compile."""
    vae, paint = ours(shape)
    vae.encoder.compile()
    vae.decoder.compile()
    return vae, paint


def autoencoder_kl(shape: tuple[int, ...]) -> tuple[nn.Module, Paint]:
    """MONAI's AutoencoderKL, as its examples set it for three levels, no attention."""
    from monai.networks.nets import AutoencoderKL

    net = AutoencoderKL(
        spatial_dims=3,
        in_channels=1,
        out_channels=1,
        channels=(16, 32, 64, 64),
        latent_channels=8,
        num_res_blocks=1,
        norm_num_groups=8,
        attention_levels=(False,) * 4,
        with_encoder_nonlocal_attn=False,
        with_decoder_nonlocal_attn=False,
    )

    def paint(x: Tensor) -> tuple[Tensor, Tensor]:
        image, mean, std = net(x)
        kl = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log())
        return image, kl.flatten(1).sum(1)

    return net, paint


def var_autoencoder(shape: tuple[int, ...]) -> tuple[nn.Module, Paint]:
    """MONAI's VarAutoEncoder with the same channels and a dense code of 128."""
    from monai.networks.nets import VarAutoEncoder

    net = VarAutoEncoder(
        spatial_dims=3,
        in_shape=(1, *shape),
        out_channels=1,
        latent_size=128,
        channels=(16, 32, 64),
        strides=(2, 2, 2),
        num_res_units=2,
        use_sigmoid=False,
    )

    def paint(x: Tensor) -> tuple[Tensor, Tensor]:
        image, mean, logvar, _ = net(x)
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar)
        return image, kl.sum(1)

    return net, paint


NETWORKS = {
    "medvae": ours,
    "channels first": channels_first,
    "resize convolutions": resized,
    "instance norm": instance_norm,
    "no full-resolution layer": all_strided,
    "full-resolution stem": full_stem,
    "torch.compile": compiled,
    "MONAI AutoencoderKL": autoencoder_kl,
    "MONAI VarAutoEncoder": var_autoencoder,
}


def alone(name: str, shape: tuple[int, int, int], seconds: float) -> dict[str, Any]:
    """One network in a process of its own, so that its peak memory is its own."""
    command = [sys.executable, __file__, name, json.dumps(shape), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(name: str, shape: tuple[int, ...], seconds: float) -> dict[str, Any]:
    """Train for a while; processor seconds a volume, memory, error on new volumes.

    The first steps, in which torch compiles, and the looks at the error are not in the
    processor time that the network is given.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = heads(max(shape), 10)[tuple(slice(0, n) for n in (10, 1, *shape))].contiguous()
    before = forget_peak()
    net, paint = NETWORKS[name](shape)
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)

    def step(batch: Tensor) -> None:
        optimiser.zero_grad()
        image, kl = paint(batch)
        error = (image - batch).square().mean()
        # A Gaussian of fixed width, so that all networks are after the same thing.
        (error / (2 * 0.1**2) + kl.mean() / batch.numel()).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)  # as the toolkit trains
        optimiser.step()

    def left() -> float:
        net.eval()
        with torch.no_grad():
            image = torch.cat([paint(x[[k]])[0] for k in (8, 9)])
        net.train()
        return (image - x[8:]).square().mean().sqrt().item()

    start = time.process_time()
    for k in range(WARM):
        step(x[[k]])
    costs, warm, curve = [], time.process_time() - start, []
    while sum(costs) < seconds:
        start = time.process_time()
        step(x[[len(costs) % 8]])
        costs.append(time.process_time() - start)
        if len(costs) % LOOK == 0:
            curve.append((sum(costs), left()))
    return {
        "seconds_per_volume": sorted(costs)[len(costs) // 2],
        "warm_up_seconds": warm,
        "peak_mib": peak_mib() - before,
        "parameters": sum(p.numel() for p in net.parameters()),
        "steps": len(costs) + WARM,
        "rms_error": last if math.isfinite(last := left()) else None,
        "seconds_to_error": {
            str(error): next((at for at, found in curve if found <= error), None)
            for error in ERRORS
        },
    }


if __name__ == "__main__":
    # Started by `alone`.
    which, size, budget = sys.argv[1:]
    print(json.dumps(_measure(which, tuple(json.loads(size)), float(budget))))
