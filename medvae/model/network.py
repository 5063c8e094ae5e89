"""Convolutional encoder and decoder from MONAI blocks, with a bottleneck of our own.

MONAI's ``VarAutoEncoder`` returns mean + std from its bottleneck in evaluation mode,
so only its blocks are used here and :func:`DenoisingVAE.encode` returns the mean.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import torch
from monai.networks.blocks import Convolution, ResidualUnit
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from medvae.model.acquired_region import BEYOND_MM
from medvae.model.detail import BANDS
from medvae.model.likelihood import Gaussian, Laplace, Scaled
from medvae.model.lone_volume import hasten_lone_volumes
from medvae.model.posterior import Posterior

ACT = ("LEAKYRELU", {"negative_slope": 0.1})
LOGVAR_RANGE = (-12.0, 4.0)
LIKELIHOODS: dict[str, type[Scaled]] = {"gaussian": Gaussian, "laplace": Laplace}


Size = Annotated[int, Field(ge=1, le=4096)]


class NetworkConfig(BaseModel):
    """The shape of a denoising VAE; saved beside its weights.

    Args:
        grid_shape: Voxels along X, Y, Z (or X, Y) of a training volume.
        spacing_mm: Voxel size of the training grid.
        latent: ``map`` keeps a small image of codes and takes volumes of any
            size; ``vector`` is one dense code and needs the grid exactly.
        channels: Feature channels of each level; every level halves the grid.
        latent_channels: Codes at each place of the map, or in all (``vector``).
        likelihood: ``gaussian`` or ``laplace``, of one learned scale; older models,
            which do not say, are ``gaussian``.
        sites: Labels the decoder knows; empty for the plain, unconditional criterion.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    grid_shape: tuple[Size, ...] = (96, 112, 96)
    spacing_mm: tuple[Annotated[float, Field(gt=0, le=100)], ...] = (2.0, 2.0, 2.0)
    latent: Literal["map", "vector"] = "map"
    channels: tuple[Size, ...] = Field((16, 32, 64), min_length=1, max_length=8)
    latent_channels: int = Field(8, ge=1, le=65536)
    likelihood: Literal["gaussian", "laplace"] = "gaussian"
    sites: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _grid_can_be_halved(self) -> NetworkConfig:
        stride = 2 ** len(self.channels)
        if any(size % stride or size < stride for size in self.grid_shape):
            raise ValueError(
                f"grid_shape must be multiples of {stride} for {len(self.channels)} "
                f"levels, got {self.grid_shape}."
            )
        if len(self.grid_shape) not in (2, 3):
            raise ValueError(
                f"grid_shape must have 2 or 3 axes, got {self.grid_shape}."
            )
        if len(self.grid_shape) != len(self.spacing_mm):
            raise ValueError(
                f"spacing_mm must have one number per axis of {self.grid_shape}, "
                f"got {self.spacing_mm}."
            )
        return self

    @property
    def stride(self) -> int:
        """Voxels of the grid per place of the latent map, along each axis."""
        return int(2 ** len(self.channels))

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Channels and places of one code, (C, x, y, z)."""
        if self.latent == "vector":
            return (self.latent_channels, *(1 for _ in self.grid_shape))
        return (
            self.latent_channels,
            *(size // self.stride for size in self.grid_shape),
        )


def _norm(channels: int) -> tuple[str, dict[str, int]]:
    return ("GROUP", {"num_groups": math.gcd(8, channels)})


class ConvEncoder(nn.Module):
    """Volumes (B, 1, X, Y, Z) to a posterior over codes (B, C, x, y, z)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        dims, wide = len(config.grid_shape), config.channels
        layers: list[nn.Module] = []
        for before, after in zip((1, *wide[:-1]), wide, strict=True):
            layers.append(
                ResidualUnit(
                    dims, before, after, 2, subunits=2, act=ACT, norm=_norm(after)
                )
            )
        self.body = nn.Sequential(*layers)
        codes = 2 * config.latent_channels
        if config.latent == "map":
            self.head: nn.Module = Convolution(
                dims, wide[-1], codes, kernel_size=1, conv_only=True
            )
        else:
            places = math.prod(size // config.stride for size in config.grid_shape)
            self.head = nn.Sequential(
                nn.Flatten(),
                nn.Linear(places * wide[-1], codes),
                nn.Unflatten(1, (codes, *(1 for _ in config.grid_shape))),
            )

    def forward(self, x: Tensor) -> Posterior:
        """Encode volumes that are already normalised for the network."""
        mean, logvar = self.head(self.body(x)).chunk(2, dim=1)
        return Posterior(mean, logvar.clamp(*LOGVAR_RANGE))


class SiteModulation(nn.Module):
    """Scale and shift of feature channels, told by the site (FiLM).

    Perez et al. 2018, doi:10.1609/aaai.v32i1.11671. Starts as the identity, so an
    untrained site paints like every other.
    """

    def __init__(self, embedding: int, channels: int) -> None:
        super().__init__()
        self.affine = nn.Linear(embedding, 2 * channels)
        nn.init.zeros_(self.affine.weight)
        nn.init.zeros_(self.affine.bias)

    def forward(self, features: Tensor, site: Tensor) -> Tensor:
        """Modulate ``features`` (B, C, ...) by site inputs (B, E)."""
        per_voxel = (*features.shape[:2], *(1 for _ in features.shape[2:]))
        scale, shift = self.affine(site).chunk(2, dim=1)
        told: Tensor = features * (1 + scale.view(per_voxel)) + shift.view(per_voxel)
        return told


class ConvDecoder(nn.Module):
    """Codes (B, C, x, y, z) and site inputs (B, E) to images (B, 1, X, Y, Z)."""

    def __init__(self, config: NetworkConfig, embedding: int) -> None:
        super().__init__()
        dims, wide = len(config.grid_shape), config.channels[::-1]
        if config.latent == "map":
            self.head: nn.Module = Convolution(
                dims, config.latent_channels, wide[0], kernel_size=1, conv_only=True
            )
        else:
            small = [size // config.stride for size in config.grid_shape]
            self.head = nn.Sequential(
                nn.Flatten(),
                nn.Linear(config.latent_channels, wide[0] * math.prod(small)),
                nn.Unflatten(1, (wide[0], *small)),
            )
        narrow = max(wide[-1] // 2, 4)
        self.mix = nn.ModuleList()
        self.told = nn.ModuleList()
        self.grow = nn.ModuleList()
        for before, after in zip(wide, (*wide[1:], narrow), strict=True):
            norm = _norm(before)
            unit = ResidualUnit(dims, before, before, 1, act=ACT, norm=norm)
            self.mix.append(unit)
            self.told.append(SiteModulation(embedding, before))
            grow = nn.ConvTranspose3d if dims == 3 else nn.ConvTranspose2d
            self.grow.append(grow(before, after, kernel_size=2, stride=2))
        self.last_told = SiteModulation(embedding, narrow)
        self.paint = Convolution(dims, narrow, 1, kernel_size=3, conv_only=True)

    def forward(self, z: Tensor, site: Tensor) -> Tensor:
        """Paint the image of each code, as its site would have scanned it."""
        features = self.head(z)
        for mix, told, grow in zip(self.mix, self.told, self.grow, strict=True):
            features = grow(told(mix(features), site))
        features = nn.functional.leaky_relu(self.last_told(features, site), 0.1)
        return torch.as_tensor(self.paint(features))


class DenoisingVAE(nn.Module):
    """Encoder, site-conditional decoder and likelihood of one denoising VAE.

    Volumes come and go in reference units (white matter = 1). The same shift and
    scale is applied to clean and corrupted volumes, after the corruption.

    Example:
        >>> config = NetworkConfig(grid_shape=(8, 8, 8), channels=(4, 8),
        ...                        latent_channels=2, sites=("A", "B"))
        >>> vae = DenoisingVAE(config).eval()
        >>> x = torch.rand(1, 1, 8, 8, 8)
        >>> vae.decode(vae.encode(x).mean, vae.site_inputs(["A"])).shape
        torch.Size([1, 1, 8, 8, 8])
    """

    CENTRE, SPREAD = 0.5, 0.5
    EMBEDDING = 8

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ConvEncoder(config)
        self.decoder = ConvDecoder(config, self.EMBEDDING)
        self.likelihood = LIKELIHOODS[config.likelihood]()
        self.site_embedding = nn.Embedding(max(len(config.sites), 1), self.EMBEDDING)
        # Gain 1 in every band, until `fit_detail` sets it.
        self.register_buffer("detail", torch.ones(BANDS))
        self.detail: Tensor
        # Faces beyond the grid at every site, until `fields_of_view` sets them.
        axes, sites = len(config.grid_shape), max(len(config.sites), 1)
        ends = torch.tensor([-BEYOND_MM, BEYOND_MM]).expand(sites, axes, 2).clone()
        self.register_buffer("field_of_view", ends)
        self.field_of_view: Tensor
        if len(config.grid_shape) == 3:  # a third faster on CPU than channels first
            self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # missing in torch's stubs
            hasten_lone_volumes(self)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        *rest: Any,  # noqa: ANN401 (torch's own, passed on)
    ) -> None:
        """Older weights and checkpoints keep all detail, and end no scan."""
        state_dict.setdefault(f"{prefix}detail", torch.ones(BANDS))
        state_dict.setdefault(f"{prefix}field_of_view", self.field_of_view.clone())
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def encode(self, x: Tensor) -> Posterior:
        """Posterior over the codes of volumes (B, 1, X, Y, Z), reference units."""
        if x.ndim == 5:
            x = x.contiguous(memory_format=torch.channels_last_3d)
        posterior: Posterior = self.encoder((x - self.CENTRE) / self.SPREAD)
        return posterior

    def decode(self, z: Tensor, site: Tensor) -> Tensor:
        """Images (B, 1, X, Y, Z) in reference units of codes and site inputs."""
        return torch.as_tensor(self.decoder(z, site)) * self.SPREAD + self.CENTRE

    def site_inputs(self, sites: list[str | None]) -> Tensor:
        """Site inputs (B, E) for labels; ``None`` is the mean of all known sites.

        Raises:
            ValueError: A label the decoder was not trained with.
        """
        weight = self.site_embedding.weight
        if not self.config.sites and any(site is not None for site in sites):
            raise ValueError(
                f"site {next(s for s in sites if s)!r}: this decoder was trained "
                "without sites and paints one image only. Leave the site out."
            )
        if not self.config.sites:
            return torch.zeros(len(sites), self.EMBEDDING).to(weight)
        unknown = sorted({s for s in sites if s is not None} - set(self.config.sites))
        if unknown:
            raise ValueError(
                f"site {unknown[0]!r} is not among the training sites: "
                f"{', '.join(self.config.sites)}."
            )
        rows = [
            weight.mean(0) if s is None else weight[self.config.sites.index(s)]
            for s in sites
        ]
        return torch.stack(rows)
