"""A trained model on disk: config.json and model.safetensors, the Hugging Face pair."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from medvae.errors import UserError
from medvae.files import atomic_path, write_json
from medvae.inputs import refuse_special
from medvae.model.folder import FORMAT, VERSION, read_content
from medvae.model.network import DenoisingVAE, NetworkConfig


def save_model(vae: DenoisingVAE, folder: Path) -> None:
    """Write ``config.json`` and ``model.safetensors`` into ``folder``."""
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in vae.state_dict().items()
    }
    with atomic_path(folder / "model.safetensors") as partial:
        save_file(tensors, partial)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "network": vae.config.model_dump(mode="json"),
    }
    write_json(folder / "config.json", content)


def load_model(folder: Path) -> DenoisingVAE:
    """Read a model back, in evaluation mode.

    Raises:
        UserError: The folder holds no model, one of another format, or weights that
            do not fit the configuration.
    """
    config = _read_config(folder)
    weights = folder / "model.safetensors"
    refuse_special(weights)
    try:
        _refuse_other_shapes(config, weights)
        vae = DenoisingVAE(config)
        vae.load_state_dict(load_file(weights))
    except FileNotFoundError:
        raise UserError(
            f"{weights}: not found. Finish the training: medvae train --resume."
        ) from None
    except (SafetensorError, RuntimeError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{weights}: does not fit config.json ({reason}). Copy the run again."
        ) from None
    _refuse_wrong_values(vae, weights)
    return vae.eval()


def _refuse_other_shapes(config: NetworkConfig, weights: Path) -> None:
    """Hold the file against the network before either takes memory."""
    with torch.device("meta"):
        wanted = {
            k: list(v.shape) for k, v in DenoisingVAE(config).state_dict().items()
        }
    with safe_open(weights, "pt") as file:
        found = {key: list(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 (no mapping)
    for later in ("detail", "field_of_view"):  # which older models do without
        found.setdefault(later, wanted[later])
    for key in sorted({*wanted, *found}):
        if wanted.get(key) != found.get(key):
            raise ValueError(f"{key}: {found.get(key)} instead of {wanted.get(key)}")


def _refuse_wrong_values(vae: DenoisingVAE, weights: Path) -> None:
    for name, tensor in vae.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise UserError(
                f"{weights}: {name} is not finite. Copy the run again, or train again."
            )
    if vae.detail.min() < 0 or vae.detail.max() > 1:
        raise UserError(
            f"{weights}: detail must lie between 0 and 1. Copy the run again, or train "
            "again."
        )
    if (vae.field_of_view[..., 0] >= vae.field_of_view[..., 1]).any():
        raise UserError(
            f"{weights}: field_of_view must have the lower face of each axis first. "
            "Copy the run again, or train again."
        )


def find_device(device: str) -> str:
    """The device by its name; ``auto`` is a GPU where there is one.

    Raises:
        UserError: As of :func:`check_device`.
    """
    if device != "auto":
        check_device(device)
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have.

    Raises:
        UserError: Not cpu, cuda or mps, or not here.
    """
    kind = device.partition(":")[0]
    here = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if kind not in here:
        raise UserError(f"--device {device}: must be one of auto, {', '.join(here)}.")
    if not here[kind]:
        raise UserError(f"--device {device}: no such device here. Use --device cpu.")


def _read_config(folder: Path) -> NetworkConfig:
    path, content = folder / "config.json", read_content(folder)
    try:
        return NetworkConfig.model_validate(content.get("network"))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, ("network", *first["loc"])))
        raise UserError(f"{path}: {key}: {first['msg']}. Copy the run again.") from None
