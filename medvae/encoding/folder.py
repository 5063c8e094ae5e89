"""A folder of codes on disk: one pair of files a scan, one table for statistics.

OUT/index.tsv            a row per scan: name, path, site, digest, row in latents.npy
OUT/latents.npy          float32, (scans, features), memory-mappable
OUT/<scan>_latent.nii.gz the code as a 4-D map in the scan's world space
OUT/<scan>_latent.json   std, where the scan lay, what made the code
"""

from __future__ import annotations

import csv
import io
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError

from medvae.encoding.encoder import Encoder
from medvae.encoding.latent import Latent
from medvae.errors import UserError
from medvae.files import atomic_path, digest, write_json, write_text
from medvae.inputs import read_json
from medvae.lock import sole_writer
from medvae.version import __version__
from medvae.volume import Placement, Source, write_nifti
from medvae.volume.header import open_header

FORMAT, VERSION = "medvae-latent", 1
COLUMNS = ("row", "name", "path", "subject", "site", "session", "digest", "model")
UNREADABLE = (OSError, EOFError, zlib.error, ImageFileError)
Progress = Callable[[int, int, str], object]


@dataclass(frozen=True)
class Item:
    """A scan to encode, and what is known of it."""

    path: Path
    subject: str | None = None
    site: str | None = None
    session: str | None = None


Row = tuple[str, Item, str]


def encode_folder(
    encoder: Encoder,
    model_digest: str,
    items: Sequence[Item],
    out: Path,
    *,
    batch_size: int = 4,
    progress: Progress | None = None,
) -> list[str]:
    """Encode scans into ``out``; scans that are already there are skipped.

    Args:
        encoder: The model.
        model_digest: SHA-256 of its weights: another model's codes are made anew.
        items: The scans.
        out: Folder to write.
        batch_size: Scans that go through the network together.
        progress: Called with (done, total, name).

    Returns:
        One message for every scan that could not be encoded; the others are done.
    """
    rows, problems = _digested(items)
    if not rows:
        return problems
    lost: set[str] = set()
    with sole_writer(out):
        done = {row[0] for row in rows if _is_finished(out, row, model_digest)}
        # A batch with one scan missing is encoded whole: the last bits of a code depend
        # on its batch, and going on must end like never having stopped.
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            if done.issuperset(name for name, *_ in batch):
                continue
            outcomes = _encode_batch(encoder, [item for _, item, _ in batch])
            for (name, item, _), outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, str):
                    problems.append(outcome)
                    lost.add(name)
                elif name not in done:
                    write_latent(out, name, outcome, item.path, model_digest)
                done.add(name)
                if progress:
                    progress(len(done), len(items), item.path.name)
        kept = [row for row in rows if row[0] not in lost]
        if kept:
            _write_table(out, kept, model_digest)
    return problems


def _digested(items: Sequence[Item]) -> tuple[list[Row], list[str]]:
    """Name, scan and SHA-256 of what can be opened; a message for the rest."""
    rows: list[Row] = []
    problems: list[str] = []
    for name, item in zip(stems([item.path for item in items]), items, strict=True):
        try:
            open_header(item.path)
            rows.append((name, item, digest(item.path)))
        except OSError as error:
            problems.append(f"{item.path}: {error.strerror}. Check the path.")
        except UserError as error:
            problems.append(str(error))
    return rows, problems


def _encode_batch(encoder: Encoder, items: Sequence[Item]) -> Iterator[Latent | str]:
    """Codes of a batch; where a scan fails, each is tried alone to find which."""
    try:
        paths = [item.path for item in items]
        yield from list(encoder.encode_each(paths, len(paths)))
    except UserError:
        for item in items:
            try:
                yield encoder.encode(item.path)
            except UserError as error:
                yield str(error)


def write_latent(
    out: Path, name: str, latent: Latent, path: Path, model_digest: str
) -> None:
    """Write one code; its JSON comes last, so that it vouches for the rest."""
    target = out / f"{name}_latent.nii.gz"
    with atomic_path(target) as partial:
        nib.save(latent.to_nifti(), partial)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "Sources": [str(path)],
        "GeneratedBy": [{"Name": "medvae", "Version": __version__}],
        "scan_digest": latent.digest,
        "model_digest": model_digest,
        "latent_digest": digest(target),
        "reference": latent.reference,
        "placement": latent.placement.as_dict(),
        "source": latent.source.as_dict(),
        "std": [round(float(v), 6) for v in latent.std.reshape(-1)],
    }
    write_json(out / f"{name}_latent.json", content)


def read_latent(path: Path, model_digest: str | None = None) -> Latent:
    """Read a code back from its NIfTI file and the JSON beside it.

    Args:
        path: ``*_latent.nii.gz``.
        model_digest: SHA-256 of the weights that are to decode it.

    Raises:
        UserError: A file is missing, of another format, does not fit the other, or
            was made by another model.
    """
    beside = path.with_name(stem(path) + ".json")
    try:
        content = read_json(beside)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{beside}: cannot be read ({error}). Encode the scan again."
        ) from None
    known = content if isinstance(content, dict) else {}
    if known.get("format") != FORMAT or known.get("version") != VERSION:
        raise UserError(
            f"{beside}: not the description of a medvae latent. Encode the scan again."
        )
    if model_digest is not None and content.get("model_digest") != model_digest:
        raise UserError(
            f"{path}: was encoded by another model. Decode it with the run that made "
            "it, or encode the scan again."
        )
    try:
        if digest(path) != content["latent_digest"]:
            raise ValueError("its bytes have changed since it was encoded")
        mean = np.moveaxis(nib.load(path).get_fdata(dtype=np.float32), -1, 0)
        std = np.array(content["std"], np.float32).reshape(mean.shape)
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
            np.ascontiguousarray(mean),
            std,
            placement,
            source,
            reference,
            stem(path).removesuffix("_latent"),
            content["scan_digest"],
        )
    except (*UNREADABLE, ValueError, KeyError, TypeError, OverflowError) as error:
        raise UserError(
            f"{path}: does not fit {beside.name} ({error}). Encode the scan again."
        ) from None


def find_latents(places: Sequence[Path]) -> list[Path]:
    """The ``*_latent.nii.gz`` files that paths and folders name.

    Raises:
        UserError: A path does not exist or is no latent; nothing was found.
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            found += sorted(place.glob("*_latent.nii.gz"))
        elif not place.exists():
            raise UserError(f"{place}: file not found. Make it with: medvae encode.")
        elif not place.name.endswith("_latent.nii.gz"):
            raise UserError(f"{place}: not a latent. Name a *_latent.nii.gz file.")
        else:
            found.append(place)
    if not found:
        raise UserError(f"{places[0]}: holds no *_latent.nii.gz. Run medvae encode.")
    return found


def check_outputs(out: Path, names: Sequence[str], inputs: Sequence[Path]) -> None:
    """Refuse to write one image over another, or over a scan that is read.

    Raises:
        UserError: Names the file.
    """
    originals = {os.path.realpath(path) for path in inputs}
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name}: two inputs have this name. Give them apart.")
        if os.path.realpath(out / name) in originals:
            raise UserError(
                f"{out / name}: would be overwritten. Choose another folder with -o."
            )


def write_image(image: nib.Nifti1Image, path: Path) -> None:
    """Write a decoded image, float32, whole or not at all."""
    write_nifti(path, np.asanyarray(image.dataobj), image.affine, np.float32)


def stem(path: Path) -> str:
    """File name without ``.nii``, ``.nii.gz`` or ``.mgz``."""
    return path.name.removesuffix(".gz").removesuffix(".nii").removesuffix(".mgz")


def _flat(folder: str) -> str:
    """A folder's name as part of a file's: the root and ``..`` lead nowhere."""
    return folder.strip("/").replace("..", "") or "root"


def stems(paths: Sequence[Path]) -> list[str]:
    """A name for every scan; equal file names take their folders' names along.

    Example:
        >>> stems([Path("A/x.nii.gz"), Path("B/x.nii.gz"), Path("B/y.nii")])
        ['A_x', 'B_x', 'y']
        >>> stems([Path("/x.nii"), Path("B/x.nii")])
        ['root_x', 'B_x']
    """
    depth, names = 0, [stem(path) for path in paths]
    while len(set(names)) < len(names) and depth < 8:
        depth += 1
        names = [
            "_".join((*map(_flat, path.parts[-1 - depth : -1]), stem(path)))
            if names.count(name) > 1
            else name
            for path, name in zip(paths, names, strict=True)
        ]
    if len(set(names)) < len(names):
        twice = next(p for p, n in zip(paths, names, strict=True) if names.count(n) > 1)
        raise UserError(f"{twice}: named twice. Give every scan once.")
    return names


def _is_finished(out: Path, row: Row, model: str) -> bool:
    name, _, scan = row
    beside, image = out / f"{name}_latent.json", out / f"{name}_latent.nii.gz"
    try:
        content = read_json(beside)
        return bool(
            content["scan_digest"] == scan
            and content["model_digest"] == model
            and content["latent_digest"] == digest(image)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write_table(out: Path, rows: list[Row], model: str) -> None:
    lines = io.StringIO()
    table = csv.writer(lines, delimiter="\t", lineterminator="\n")
    table.writerow(COLUMNS)
    # Row after row: a memory map of a file that the disk has no room for is a crash.
    with atomic_path(out / "latents.npy") as partial, partial.open("wb") as file:
        for i, (name, item, scan) in enumerate(rows):
            vector = read_latent(out / f"{name}_latent.nii.gz").vector
            if i == 0:
                shape = (len(rows), vector.size)
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(vector.astype("<f4").tobytes())
            known = (item.subject or "", item.site or "", item.session or "")
            table.writerow((i, name, item.path, *known, scan, model))
    write_text(out / "index.tsv", lines.getvalue())
