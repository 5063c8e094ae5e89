"""One code on disk: two maps and the JSON that vouches for them.

<name>_latent.nii.gz     the mean as a 4-D map in the scan's world space
<name>_latentstd.nii.gz  standard deviations, the same grid
<name>_latent.json       where the scan lay, what made the code, digests
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from medvae.encoding.latent import FloatArray, Latent
from medvae.encoding.names import ENDING, stem
from medvae.encoding.reading import Cover
from medvae.errors import UserError
from medvae.files import atomic_path, digest, write_json
from medvae.inputs import DAMAGED, read_json
from medvae.volume import Placement, Source
from medvae.volume.header import UNREADABLE, open_header

FORMAT, VERSION = "medvae-latent", 2
STD_ENDING = "_latentstd.nii.gz"
MAX_VALUES = 2**26
"""Largest map that is read: 256 MiB as float32, a channel of 406^3 places."""


def std_file(path: Path) -> Path:
    """The map of standard deviations beside a map of means."""
    return path.with_name(path.name.removesuffix(ENDING) + STD_ENDING)


def description_file(path: Path) -> Path:
    """The JSON beside a map of means."""
    return path.with_name(stem(path) + ".json")


def write_latent(
    path: Path,
    latent: Latent,
    source: str,
    cover: Cover = "head",
    row: Mapping[str, str] | None = None,
) -> None:
    """Write one code; its JSON comes last, so that it vouches for the rest.

    Args:
        path: ``*_latent.nii.gz``.
        latent: The code.
        source: The scan, as the BIDS field ``Sources`` names it.
        cover: What of the scan was encoded.
        row: What the table of codes will tell of it; see `medvae.encoding.told`.
    """
    for target, part in ((path, "mean"), (std_file(path), "std")):
        with atomic_path(target) as partial:
            nib.save(latent.to_nifti(part), partial)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "Description": "Code of a denoising variational autoencoder, one channel a "
        "volume of the 4-D image.",
        "Sources": [source],
        "cover": cover,
        **latent.provenance,
        "latent_digest": digest(path),
        "std_digest": digest(std_file(path)),
        **({"row": {**row}} if row else {}),
    }
    write_json(description_file(path), content)


def finished_digest(path: Path, model: str | None, cover: Cover = "head") -> str | None:
    """Digest of the scan that a whole code of this model belongs to, if there is one.

    As of :func:`~medvae.encoding.reading.scan_digest`: that of its mask follows.

    Args:
        path: ``*_latent.nii.gz``, which need not exist.
        model: SHA-256 of the weights.
        cover: What of the scan is to be encoded.
    """
    try:
        content = read_json(description_file(path))
        whole = (
            content["version"] == VERSION
            and content["model_digest"] == model
            and content["cover"] == cover
            and content["latent_digest"] == digest(path)
            and content["std_digest"] == digest(std_file(path))
        )
    except (OSError, ValueError, KeyError, TypeError, UserError):
        return None
    scan = content.get("scan_digest")
    return str(scan) if whole and scan else None


def made_with(path: Path) -> tuple[str | None, str] | None:
    """SHA-256 of the weights that made a code, and its cover; None where unknown.

    Example:
        >>> made_with(Path("no_latent.nii.gz")) is None
        True
    """
    try:
        content = read_json(description_file(path))
        return content["model_digest"], content["cover"]
    except (*DAMAGED, UserError):
        return None


def read_latent(path: Path, model: str | None = None) -> Latent:
    """Read a code back from its maps and the JSON beside them.

    Args:
        path: ``*_latent.nii.gz``.
        model: SHA-256 of the weights that are to decode it.

    Raises:
        UserError: A file is missing, of another format, does not fit the others, or
            was made by another model.
    """
    content = _description(path)
    if model is not None and content.get("model_digest") != model:
        raise UserError(
            f"{path}: was encoded by another model. Decode it with the run that made "
            "it, or encode the scan again."
        )
    try:
        for file, mark in ((path, "latent_digest"), (std_file(path), "std_digest")):
            if digest(file) != content[mark]:
                raise ValueError(f"{file.name} has changed since it was written")
        mean, std = _channels_first(path), _channels_first(std_file(path))
        if mean.shape != std.shape:
            raise ValueError(f"shape {mean.shape}, its std {std.shape}")
        if not (np.isfinite(mean).all() and np.isfinite(std).all()):
            raise ValueError("codes are not finite")
        placement = Placement.from_dict(content["placement"])
        source = Source.from_dict(content["source"])
        if sorted(source.shape) != sorted(placement.native_shape):
            raise ValueError(f"source.shape must be native_shape, got {source.shape}")
        reference = float(content["reference"])
        if not 0 < reference < np.inf:
            raise ValueError(f"reference must be positive, got {reference}")
        return Latent(
            mean,
            std,
            placement,
            source,
            reference,
            str(content["scan"]),
            content["scan_digest"],
            content["model_digest"],
        )
    except UNREADABLE as error:
        raise UserError(
            f"{path}: does not fit {description_file(path).name} ({error}). "
            "Encode the scan again."
        ) from None


def _channels_first(path: Path) -> FloatArray:
    image = open_header(path)  # held against the file's size
    values = np.prod(np.array(image.shape, dtype=float))
    if len(image.shape) != 4 or values > MAX_VALUES:
        raise ValueError(f"{path.name} has the shape {image.shape}, no code's")
    with np.errstate(all="ignore"):  # what is not finite is told as such
        data = image.get_fdata(dtype=np.float32)
    return np.ascontiguousarray(np.moveaxis(data, -1, 0))


def _description(path: Path) -> dict[str, Any]:
    beside = description_file(path)
    try:
        content: Any = read_json(beside)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{beside}: cannot be read ({error}). Encode the scan again."
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(
            f"{beside}: not the description of a medvae latent. Encode the scan again."
        )
    if content.get("version") != VERSION:
        raise UserError(
            f"{beside}: format version {content.get('version')!r}, this medvae reads "
            f"{VERSION}. Encode the scan again."
        )
    return content
