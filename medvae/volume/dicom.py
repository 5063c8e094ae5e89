"""DICOM series, read by dcm2niix (extra ``dicom``).

2026-11: dcm2niix, because it is the converter behind nearly every BIDS data set, knows
the vendors' dialects (enhanced multi-frame, mosaics, gantry tilt, slopes), and is
released several times a year; its PyPI wheel ships the program, so nothing is
downloaded later. SimpleITK's reader assumes evenly spaced classic slices, and
dicom2nifti knows fewer dialects. Price: files pass through a temporary folder.
"""

from __future__ import annotations

import hashlib
import subprocess  # nosec B404
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

from medvae.errors import UserError
from medvae.files import digest

_SECONDS = 600


def holds_dicom(folder: Path) -> bool:
    """Whether a folder directly holds DICOM files (the letters DICM at byte 128)."""
    return any(_is_dicom(path) for path in sorted(folder.iterdir())[:20])


def read_series(folder: Path) -> nib.Nifti1Image:
    """Convert the one series of a folder to an image in memory.

    Args:
        folder: DICOM files of one series.

    Raises:
        UserError: The extra is not installed, or the folder holds no series or
            several.
    """
    program = _program()
    with tempfile.TemporaryDirectory(prefix="medvae-dicom-") as place:
        words = [program, "-b", "n", "-z", "n", "-f", "%s", "-o", place]
        words.append(str(folder.absolute()))  # a name such as -b is no option
        try:
            # Words, no shell, and the program is ours to name.
            done = subprocess.run(  # nosec B603
                words, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise UserError(
                f"{folder}: dcm2niix took over {_SECONDS} s. Convert it by hand."
            ) from None
        found = sorted(Path(place).glob("*.nii"))
        if not found:
            lines = (done.stdout + done.stderr).strip().splitlines()
            reason = lines[-1] if lines else f"exit code {done.returncode}"
            raise UserError(
                f"{folder}: dcm2niix made no image ({reason}). Is it a DICOM series?"
            )
        if len(found) > 1:
            names = ", ".join(path.stem for path in found)
            raise UserError(
                f"{folder}: holds several series ({names}). Give each its own folder."
            )
        image = nib.load(found[0], mmap=False)
        data = np.asanyarray(image.dataobj)
        return nib.Nifti1Image(data, image.affine, image.header)


def series_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files of a series."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = (f"{p.relative_to(folder).as_posix()} {digest(p)}\n" for p in files)
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _is_dicom(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        handle.seek(128)
        return handle.read(4) == b"DICM"


def _program() -> str:
    try:
        import dcm2niix
    except ImportError:
        raise UserError(
            "DICOM folders need the extra 'dicom': pip install 'medvae-denoise[dicom]'."
        ) from None
    return str(dcm2niix.bin)
