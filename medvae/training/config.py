"""Everything that decides a training run, checked before any work starts."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from medvae.errors import UserError
from medvae.settings import check_settings, read_settings
from medvae.training.objective import ObjectiveSettings
from medvae.training.section import Section
from noise_models.plain_yaml import read_plain

MAX_GRID = 2**27
"""Voxels of a training grid, 512^3: one volume is half a gigabyte."""


class GridSettings(Section):
    """The voxel grid that volumes are trained on, centred on the head.

    Args:
        shape: Voxels along X, Y, Z.
        spacing_mm: Voxel size along X, Y, Z, in mm.
    """

    shape: tuple[PositiveInt, PositiveInt, PositiveInt] = (96, 112, 96)
    spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (2.0, 2.0, 2.0)

    @model_validator(mode="after")
    def _fits_into_memory(self) -> GridSettings:
        x, y, z = self.shape
        if x * y * z > MAX_GRID:
            raise ValueError(
                f"shape must hold at most {MAX_GRID} voxels, got {self.shape}."
            )
        return self


Channels = Annotated[int, Field(ge=1, le=4096)]


class NetworkSettings(Section):
    """The shape of the network.

    Args:
        latent: map keeps a small image of codes, vector is one dense code.
        channels: Feature channels of each level; every level halves the grid.
        latent_channels: Codes at each place of the map, or in all (vector).
        likelihood: Of scans around decoded ones; laplace forgives a few large errors.
        conditional: Tell the decoder the site, so that the code need not.
    """

    latent: Literal["map", "vector"] = "map"
    channels: tuple[Channels, ...] = Field((16, 32, 64), min_length=1, max_length=8)
    latent_channels: int = Field(8, ge=1, le=65536)
    likelihood: Literal["gaussian", "laplace"] = "gaussian"
    conditional: bool = True


class AugmentationSettings(Section):
    """Geometry changed in input and target alike, before the corruption.

    Args:
        flip: Probability of a left-right flip.
        probability: Of affine and elastic deformation; 0 switches them off.
        rotate_degrees: Largest rotation about each axis.
        scale: Largest relative change of size.
        translate_mm: Largest shift along each axis.
        elastic_mm: Size of the elastic displacement; 0 bends nothing.
    """

    flip: float = Field(0.5, ge=0, le=1)
    probability: float = Field(0.5, ge=0, le=1)
    rotate_degrees: float = Field(5.0, ge=0)
    scale: float = Field(0.05, ge=0, lt=1)
    translate_mm: float = Field(4.0, ge=0)
    elastic_mm: float = Field(2.0, ge=0)


class OptimiserSettings(Section):
    """Adam with a short warm-up and a cosine to a twentieth of the rate.

    Args:
        learning_rate: After the warm-up.
        epochs: Passes through the training scans.
        batch_size: Scans of a step, on all devices together.
        clip_norm: Largest norm of the gradient.
        accumulate: Batches per step.
    """

    learning_rate: float = Field(1e-3, gt=0)
    epochs: int = Field(100, ge=1)
    batch_size: int = Field(4, ge=1)
    clip_norm: float = Field(1.0, gt=0)
    accumulate: int = Field(1, ge=1)


class TrainConfig(Section):
    """One training run. Every key can be set in YAML or by ``--set key=value``.

    A section without keys, all of them commented out, is at its defaults.

    Args:
        noise: A model's name, a preset file, or a fitted file (scanner.yaml).
        dispersion: Spread of a fitted noise: 1 as fitted, 2 twice as wide.
        held_out: Sites that training must not see.
        seed: Decides weights, order, augmentation, corruption and latents.
        device: auto, cpu, cuda or mps.
        precision: Number type of the training step.
        devices: Of one machine; a batch is shared among them.
        nodes: Machines.
        jobs: Processes that prepare volumes.
        logger: Where metrics go beside metrics.jsonl.
        grid: The grid that every scan is resampled to.
        network: The shape of the network.
        objective: The criterion, and what it reads.
        augmentation: Changes of geometry, before the corruption.
        optimiser: How long and how fast is learned.
    """

    noise: str = "none"
    dispersion: float = Field(1.0, ge=0)
    held_out: tuple[str, ...] = ()
    seed: int = Field(0, ge=0)
    device: str = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    devices: int = Field(1, ge=1)
    nodes: int = Field(1, ge=1)
    jobs: int = Field(2, ge=1)
    logger: Literal["none", "tensorboard", "wandb", "mlflow", "csv"] = "none"
    grid: GridSettings = GridSettings()
    network: NetworkSettings = NetworkSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    optimiser: OptimiserSettings = OptimiserSettings()

    @model_validator(mode="before")
    @classmethod
    def _empty_sections_are_defaults(cls, content: Any) -> Any:  # noqa: ANN401
        if not isinstance(content, Mapping):
            return content
        sections = {
            name
            for name, field in cls.model_fields.items()
            if isinstance(field.default, Section)
        }
        return {k: v for k, v in content.items() if v is not None or k not in sections}

    @model_validator(mode="after")
    def _noise_is_looked_at(self) -> TrainConfig:
        if not self.objective.copies and self.noise != "none":
            raise ValueError(
                f"objective.name {self.objective.name} never sees a corrupted scan, so "
                f"noise {self.noise} would change nothing. Set noise: none, or "
                "objective.name: dvae."
            )
        return self


def load_config(
    path: Path | None = None, overrides: Sequence[str] = (), **flags: object
) -> TrainConfig:
    """Defaults, then the YAML file, then ``key=value`` overrides, then named flags.

    Args:
        path: A YAML file with any of the keys of :class:`TrainConfig`.
        overrides: Such as ``optimiser.epochs=20``; values are read as YAML.
        flags: Top-level keys; ``None`` means not given.

    Raises:
        UserError: An unreadable file, an unknown key (with the nearest known one) or
            a value out of range.

    Example:
        >>> load_config(overrides=["optimiser.epochs=3"]).optimiser.epochs
        3
    """
    given = {key: value for key, value in flags.items() if value is not None}
    content = read_settings(path) if path else {}
    where = str(path) if path else "settings"
    stages = [(where, copy.deepcopy(content) | given)]
    for override in overrides:
        _set(content, override)
        stages.append((f"--set {override}", copy.deepcopy(content) | given))
    try:
        return parse_config(stages[-1][1], where)
    except UserError:
        for blamed, stage in stages:  # the first that made it wrong
            parse_config(stage, blamed)
        raise


def json_schema() -> dict[str, Any]:
    """JSON Schema of a configuration file, for editors.

    Example:
        >>> json_schema()["properties"]["seed"]["minimum"]
        0
    """
    content = TrainConfig.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **content}


def parse_config(content: dict[str, Any], where: str) -> TrainConfig:
    """Validate a mapping; ``where`` names its origin in the error."""
    return check_settings(TrainConfig, content, where)


def _set(content: dict[str, Any], override: str) -> None:
    key, separator, value = override.partition("=")
    if not separator or not key:
        raise UserError(f"--set {override}: must look like key=value.")
    *parents, last = key.split(".")
    for parent in parents:
        if content.get(parent) is None:
            content[parent] = {}
        content = content[parent]
        if not isinstance(content, dict):
            raise UserError(f"--set {override}: {parent!r} holds a value, not keys.")
    try:
        content[last] = read_plain(value)
    except yaml.YAMLError:
        raise UserError(f"--set {override}: the value is not valid YAML.") from None
