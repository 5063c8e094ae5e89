"""NIfTI files made in code: a small head, and headers with any field replaced."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np

AFFINE = np.diag([8.0, 8.0, 8.0, 1.0])


def head(shape=(20, 22, 24)):
    """A noisy ball, whole numbers from 0 to 120: every number type holds it."""
    centre = (np.array(shape) - 1) / 2
    places = np.stack(np.indices(shape), -1) - centre
    ball = np.linalg.norm(places / (0.36 * np.array(shape)), axis=-1) < 1
    noise = np.random.default_rng(0).integers(0, 6, shape)
    return (ball * 100 + noise).astype(np.float32)


def scan(data=None, affine=AFFINE, dtype=np.float32, kind=nib.Nifti1Image):
    """Bytes of a .nii file."""
    values = head() if data is None else data
    image = kind(values.astype(dtype), affine, dtype=dtype)
    return bytes(image.to_bytes())


def patched(raw=None, **fields):
    """The same file with header fields replaced; ``dim_3=0`` sets one of several."""
    content = bytearray(scan() if raw is None else raw)
    header = np.ndarray((), nib.nifti1.header_dtype, buffer=content)
    for name, value in fields.items():
        field, _, place = name.rpartition("__")
        if field:
            header[field][int(place)] = value
        else:
            header[name] = value
    return bytes(content)


def written(content, name="A/bad_T1w.nii"):
    """A maker that writes bytes into a folder."""

    def make(folder):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content() if callable(content) else content)

    return make


def packed(content=None, level=6):
    """Gzipped."""
    return gzip.compress(scan() if content is None else content, level, mtime=0)
