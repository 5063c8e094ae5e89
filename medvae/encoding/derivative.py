"""A folder of codes as a BIDS derivative: what made it, and from which data set."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from medvae.errors import UserError
from medvae.files import write_json, write_text
from medvae.inputs import DAMAGED, is_there, read_json
from medvae.version import __version__, software

PROVENANCE = "provenance.json"
DESCRIPTION = "dataset_description.json"
IGNORED = (
    *("*_latent.*", "*_latentstd.*", PROVENANCE),
    *("index.tsv", "latents.npy", "axes.npy", ".index.lock"),
)
"""Codes have no suffix of their own in BIDS yet, so its validator is told of them."""

_DEPTH = 6  # sub-X/ses-Y/anat/file lies four below the root


def refuse_others(out: Path) -> None:
    """Refuse a folder whose description is not one of codes.

    Raises:
        UserError: Names the file.

    Example:
        >>> refuse_others(Path("no folder yet"))
    """
    path = out / DESCRIPTION
    try:
        ours = not is_there(path) or _is_described(path)
    except (*DAMAGED, UserError):
        ours = False
    if not ours:
        raise UserError(
            f"{path}: not written by medvae encode, and would be overwritten. "
            "Choose another folder with -o."
        )


def _is_described(path: Path) -> bool:
    return any(made["Name"] == "medvae" for made in read_json(path)["GeneratedBy"])


def data_set_of(path: Path) -> Path | None:
    """The BIDS data set that a scan lies in, if it lies in one."""
    for parent in list(path.resolve().parents)[:_DEPTH]:
        if (parent / DESCRIPTION).is_file():
            return parent
    return None


def links(paths: Sequence[Path], out: Path) -> dict[Path, str]:
    """A short name for every BIDS data set that the scans come from.

    The folder of codes is none, though scans may lie in it. Names of earlier calls
    stay: the codes that they made go by them.
    """
    folders = {folder for path in paths if (folder := data_set_of(path))}
    known = _linked_before(out)
    taken = {*known.values()}
    free = (name for i in itertools.count(1) if (name := f"raw{i}") not in taken)
    new = sorted(folders - {out.resolve(), *known})
    return known | dict(zip(new, free, strict=False))


def _linked_before(out: Path) -> dict[Path, str]:
    """Names that the description gives to folders; none where it cannot be read."""
    try:
        told = read_json(out / DESCRIPTION)["DatasetLinks"].items()
        parts = {name: urlsplit(uri) for name, uri in told}
    except (*DAMAGED, AttributeError, UserError):
        return {}
    return {
        Path(os.fsdecode(unquote_to_bytes(uri.path))): name
        for name, uri in parts.items()
        if uri.scheme == "file" and uri.path.startswith("/")
    }


def source_of(path: Path, known: dict[Path, str]) -> str:
    """The scan as the field ``Sources`` names it: a BIDS URI, else its path."""
    root = data_set_of(path)
    if root not in known:
        return str(path)
    return f"bids:{known[root]}:{path.resolve().relative_to(root).as_posix()}"


def describe(
    out: Path, known: dict[Path, str], model_digest: str | None, command: str = ""
) -> None:
    """Write ``dataset_description.json``, ``.bidsignore`` and ``provenance.json``.

    Args:
        out: The folder.
        known: Data sets that the scans come from; see `links`.
        model_digest: SHA-256 of the weights.
        command: That was typed last; the codes do not hang on it.
    """
    content: dict[str, Any] = {
        "Name": "Codes of a denoising variational autoencoder",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "medvae", "Version": __version__}],
    }
    if known:
        content["DatasetLinks"] = {n: folder.as_uri() for folder, n in known.items()}
        content["SourceDatasets"] = [{"URL": folder.as_uri()} for folder in known]
    write_json(out / DESCRIPTION, content)
    made = {"command": command, "software": software(), "model_digest": model_digest}
    write_json(out / PROVENANCE, made)
    write_text(out / ".bidsignore", "\n".join(f"**/{p}" for p in IGNORED) + "\n")
