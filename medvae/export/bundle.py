"""A MONAI bundle: ``python -m monai.bundle run --config_file configs/inference.json``.

2026-11: the bundle calls medvae rather than spelling the network out in MONAI's
configuration language. Codes are only right for scans that were laid on the head and
divided by their white matter, which MONAI's transforms do not do; and the weights stay
in safetensors instead of a pickled ``model.pt``. Price: medvae must be installed, and
``required_packages_version`` says so.
"""

from __future__ import annotations

import shlex
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medvae.encoding import Encoder
from medvae.encoding.folder import Item, encode_folder
from medvae.encoding.latent_file import STD_ENDING
from medvae.encoding.names import ENDING
from medvae.errors import UserError
from medvae.export.card import described, model_card, read_story
from medvae.files import write_json, write_text
from medvae.model.weights import load_model, save_model
from medvae.version import __version__

SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/"
    "0.8.1/meta_schema_20240725.json"
)
"""What ``python -m monai.bundle verify_metadata`` holds metadata.json against."""

CODES = (ENDING, STD_ENDING)

LICENSE = """The code that reads this bundle (medvae) is licensed under Apache-2.0.

The weights in models/ were trained on the scans that docs/README.md names. Whoever
shares them decides their licence, within what those scans allow, and writes it here.
"""


class Reconstruction(nn.Module):
    """The network as MONAI's tools want one: volumes in, volumes out.

    Args:
        folder: With ``config.json`` and ``model.safetensors``.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.vae = load_model(Path(folder))

    def forward(self, x: Tensor) -> Tensor:
        """The scan painted from its code, as the average of the training sites."""
        inputs = self.vae.site_inputs([None] * len(x))
        return torch.as_tensor(self.vae.decode(self.vae.encode(x).mean, inputs))


def encode_files(folder: str, scans: list[str], out: str, device: str) -> list[str]:
    """What the bundle runs: encode files into a folder of codes.

    Codes that an earlier run left in ``out`` are no scans.

    Returns:
        The files that were encoded.

    Raises:
        UserError: No scan is given, or some could not be encoded; names them.
    """
    own = Path(out).resolve()
    items = [Item(path) for path in map(Path, scans) if not _is_code(path, own)]
    if not items:
        raise UserError("no scans: give --dataset_dir, a folder with NIfTI files.")
    encoder = Encoder.load(folder, device)
    problems = encode_folder(encoder, items, Path(out))
    if problems:
        raise UserError(" ".join(problems))
    return [str(item.path) for item in items]


def _is_code(path: Path, own: Path) -> bool:
    """Whether an earlier run wrote it: its folder may lie among the scans."""
    return path.name.endswith(CODES) and own in path.resolve().parents


def write_bundle(run: Path, encoder: Encoder, out: Path) -> list[str]:
    """Write metadata, inference configuration, weights, card and licence."""
    story = read_story(run)
    save_model(encoder.vae, out / "models")
    write_json(out / "configs" / "metadata.json", _metadata(encoder))
    write_json(out / "configs" / "inference.json", _inference())
    write_text(out / "docs" / "README.md", model_card(story, encoder))
    write_text(out / "docs" / "training.json", described(story))
    write_text(out / "LICENSE", LICENSE)
    command = (
        *("python", "-m", "monai.bundle", "run", "--bundle_root", str(out)),
        *("--config_file", f"{out}/configs/inference.json"),
        *("--dataset_dir", "SCANS", "--output_dir", "codes"),
    )
    return [f"MONAI bundle in {out}", f"run it with: {shlex.join(command)}"]


def _inference() -> dict[str, Any]:
    """Values that begin with ``$`` are MONAI's own language: it evaluates them."""
    return {
        "imports": ["$import glob", "$from medvae.export.bundle import encode_files"],
        "bundle_root": ".",
        "dataset_dir": ".",
        "output_dir": "codes",
        "device": "cpu",
        "models": "$@bundle_root + '/models'",
        "scans": "$sorted(glob.glob(@dataset_dir + '/**/*.nii*', recursive=True))",
        "network_def": {
            "_target_": "medvae.export.bundle.Reconstruction",
            "folder": "@models",
        },
        "run": ["$encode_files(@models, @scans, @output_dir, @device)"],
    }


def _metadata(encoder: Encoder) -> dict[str, Any]:
    config = encoder.vae.config
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": 1,
        "spatial_shape": list(config.grid_shape),
        "dtype": "float32",
        "value_range": [0, 2],
        "is_patch_data": False,
        "channel_def": {"0": "T1-weighted head, white matter = 1"},
    }
    return {
        "schema": SCHEMA,
        "version": "0.1.0",
        "changelog": {"0.1.0": f"exported by medvae {__version__}"},
        "monai_version": version("monai"),
        "pytorch_version": str(torch.__version__).partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {"medvae-denoise": __version__},
        "name": "medvae",
        "task": "Codes of head MRI that see through the scanner",
        "description": "A denoising variational autoencoder.",
        "authors": "",
        "copyright": "",
        "intended_use": "Research. Not a medical device.",
        "network_data_format": {
            "inputs": {"image": image},
            "outputs": {"pred": image},
        },
    }
