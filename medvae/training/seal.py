"""The seal of a run: what was written, by which software, and how it encodes.

It tells damage and mistakes, not forgery: who can change a file can change the seal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from medvae.errors import UserError
from medvae.files import digest, write_json
from medvae.inputs import read_record, refuse_special
from medvae.model.network import DenoisingVAE
from medvae.model.weights import load_model
from medvae.version import software

SEAL = "seal.json"
FORMAT, VERSION = "medvae-seal", 1
SEALED = (
    "config.yaml",
    "noise.yaml",
    "splits.json",
    "config.json",
    "model.safetensors",
)
SHOWN = 32  # codes of the sample that are written down
TOLERANCE = 1e-4  # between machines and library versions, in units of the code


@dataclass(frozen=True)
class Verdict:
    """What a check of a seal found.

    Args:
        changed: Files that are not what was sealed.
        largest: Largest difference of the sample's codes from those written down.
        same_bits: Whether all codes of the sample are the same to the last bit.
        software: Versions that differ now, as ``name then -> now``.

    Example:
        >>> Verdict((), 0.0, True, ()).is_good, Verdict(("a",), 0.0, True, ()).is_good
        (True, False)
    """

    changed: tuple[str, ...]
    largest: float
    same_bits: bool
    software: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether nothing has changed and the sample is encoded as it was."""
        return not self.changed and self.largest <= TOLERANCE


def write_seal(run: Path, command: str = "") -> None:
    """Seal a finished run.

    Args:
        run: Its folder.
        command: What was typed to make it.
    """
    codes = _sample_codes(load_model(run))
    content = {
        "format": FORMAT,
        "version": VERSION,
        "command": command,
        "software": software(),
        "files": {name: digest(run / name) for name in SEALED},
        "sample": {
            "codes_sha256": hashlib.sha256(codes.tobytes()).hexdigest(),
            "first_codes": [round(float(v), 6) for v in codes[:SHOWN]],
        },
    }
    write_json(run / SEAL, content)


def check_seal(run: Path) -> Verdict:
    """Digest every sealed file again, and encode the sample again.

    Raises:
        UserError: There is no seal, it is no seal, or the model cannot be loaded.
    """
    path = run / SEAL
    if not path.is_file():
        raise UserError(
            f"{path}: not found. Name a run that medvae train has finished; one of "
            "before the seal is sealed by: medvae train --resume"
        )
    content = read_record(path, "Copy the run again.")
    try:
        files, sample, was = content["files"], content["sample"], content["software"]
        shown = np.array(sample["first_codes"], np.float32)
        changed = tuple(name for name in SEALED if _now(run / name) != files[name])
        others = _software_differences(was)
        if changed:
            return Verdict(changed, float("nan"), False, others)
        codes = _sample_codes(load_model(run))
        largest = float(np.abs(codes[:SHOWN] - shown).max())
        same = hashlib.sha256(codes.tobytes()).hexdigest() == sample["codes_sha256"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a seal ({error}). Copy the run again.") from None
    return Verdict((), largest, same, others)


def _now(path: Path) -> str:
    refuse_special(path)
    return digest(path) if path.is_file() else "missing"


@torch.inference_mode()
def _sample_codes(vae: DenoisingVAE) -> npt.NDArray[np.float32]:
    """Codes of one volume that any machine can make."""
    rng = np.random.default_rng(0)
    volume = rng.random((1, 1, *vae.config.grid_shape), np.float32)
    mean = vae.eval().encode(torch.from_numpy(volume)).mean
    return np.ascontiguousarray(mean.numpy(), np.float32).reshape(-1)


def _software_differences(was: Mapping[str, Any]) -> tuple[str, ...]:
    now = software()
    return tuple(
        f"{name} {was.get(name)} -> {now[name]}"
        for name in now
        if was.get(name) != now[name]
    )
