"""Scans that are unusual and valid: each holds the same head."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scan_bytes import AFFINE, head, packed, patched, scan, written

PLAIN = "A/good_T1w.nii"


@dataclass(frozen=True)
class Unusual:
    """A valid file that holds :func:`scan_bytes.head`.

    Args:
        name: Of the row.
        make: Writes it into a folder.
        file: Where.
        gain: By which its intensities differ from the head's.
    """

    name: str
    make: Callable[[Path], object]
    file: str
    gain: float = 1.0


def row(name, content, file=PLAIN, gain=1.0):
    make = content if callable(content) else written(content, file)
    return Unusual(name, make, file, gain)


def _typed(dtype):
    return row(f"voxels-{np.dtype(dtype).name}", scan(dtype=dtype))


def _big_endian(dtype):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.dtype(dtype).newbyteorder(">"))
    image = nib.Nifti1Image(head().astype(dtype), AFFINE, header)
    return row(f"big-endian-{np.dtype(dtype).name}", image.to_bytes())


def _turned(codes):
    image = nib.Nifti1Image(head(), AFFINE)
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(AFFINE), nib.orientations.axcodes2ornt(codes)
    )
    return row("axes-" + "".join(codes), image.as_reoriented(turn).to_bytes())


def _every_orientation():
    for axes in itertools.permutations(("RL", "AP", "SI")):
        yield from (_turned(codes) for codes in itertools.product(*axes))


def _oblique(degrees):
    angle = np.deg2rad(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return row(f"oblique-{degrees}", scan(affine=turn @ AFFINE))


def _named(name):
    return row(f"named-{name}", scan(), f"A/{name}.nii")


def _saved(file, kind, **options):
    def make(folder):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        nib.save(kind(head(), AFFINE, **options), folder / file)

    return row(f"saved-as-{Path(file).suffix}", make, file)


def _linked(folder):
    written(scan(), "elsewhere/scan")(folder)
    (folder / "A").mkdir()
    (folder / PLAIN).symlink_to("../elsewhere/scan")


def _with_extension():
    image = nib.Nifti1Image(head(), AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 999))
    return image.to_bytes()


def _in_two_members():
    whole = scan()
    return gzip.compress(whole[:9000]) + gzip.compress(whole[9000:])


TYPES = [
    *map(_typed, ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")),
    *map(_big_endian, ("u1", "i2", "i4", "f4", "f8")),
    row("int16-with-slope", patched(scan(dtype="i2"), scl_slope=0.25), gain=0.25),
    row("slope-zero-means-none", patched(scl_slope=0.0, scl_inter=5.0)),
    row("slope-nan-means-none", patched(scl_slope=np.nan, scl_inter=np.nan)),
    row("nifti-2", scan(kind=nib.Nifti2Image)),
    row("nifti-2-gz", packed(scan(kind=nib.Nifti2Image)), "A/good_T1w.nii.gz"),
    row("scale-1e-12", scan(head() * 1e-12), gain=1e-12),
    row("scale-1e12", scan(head() * 1e12), gain=1e12),
]

GEOMETRY = [
    *_every_orientation(),
    *map(_oblique, (1, 10, 30, 45)),
    row("trailing-axis", scan(head()[..., None])),
    row("two-trailing-axes", scan(head()[..., None, None])),
    row("qform-alone", patched(sform_code=0, qform_code=1)),
    row("sform-alone", patched(sform_code=2, qform_code=0)),
    row("negative-pixdim", patched(pixdim__1=-8.0, sform_code=2, qform_code=0)),
    row("unknown-unit", patched(xyzt_units=0)),
    row("metres-claimed", patched(xyzt_units=1)),
]

FILES = [
    row("gz", packed(), "A/good_T1w.nii.gz"),
    row("gz-uncompressed", packed(level=0), "A/good_T1w.nii.gz"),
    row("gz-in-two-members", _in_two_members(), "A/good_T1w.nii.gz"),
    row("gz-with-a-tail", packed(scan() + bytes(512)), "A/good_T1w.nii.gz"),
    row("with-a-tail", scan() + bytes(512)),
    row("with-an-extension", _with_extension()),
    row("with-a-patient-s-name", patched(descrip=b"DOE^JANE", aux_file=b"DOE^JANE")),
    row("header-size-in-the-other-order", patched(sizeof_hdr=1543569408)),
    row("upper-case-suffix", scan(), "A/GOOD_T1w.NII"),
    row("a-link-to-a-file", _linked),
    _saved("A/good_T1w.mgz", nib.MGHImage),
    _saved("A/good_T1w.mgh", nib.MGHImage),
    *map(_named, ("Zoë_T1w", "患者_T1w", "🧠_T1w", "a b_T1w", "a'b\"c_T1w", "[a]_T1w",
                  "100%_T1w", "-o_T1w", "a;b&c_T1w", "..a_T1w", "é" * 60 + "_T1w")),
]  # fmt: skip

UNUSUAL = [*TYPES, *GEOMETRY, *FILES]
