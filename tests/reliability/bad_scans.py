"""Scans that cannot be read, or should not be: headers, voxels, files."""

from __future__ import annotations

import os
import zlib
from functools import partial

import nibabel as nib
import numpy as np
from bad_input import Bad
from scan_bytes import AFFINE, head, packed, patched, scan, written

NII, GZ = "A/bad_T1w.nii", "A/bad_T1w.nii.gz"
COHORT = ("cohort", "{here}")


def row(name, content, file=NII, says=""):
    make = content if callable(content) else written(content, file)
    return Bad(name, make, COHORT, file.split("/")[-1], says)


def voxels(value, dtype=np.float32):
    """The head with one voxel replaced."""
    data = head().astype(dtype)
    data[10, 10, 10] = value
    return scan(data, dtype=dtype)


def colour(channels):
    data = np.zeros((20, 20, 20), [(channel, "u1") for channel in channels])
    return bytes(nib.Nifti1Image(data, AFFINE).to_bytes())


def sform(*rows_):
    fields = dict(zip(("srow_x", "srow_y", "srow_z"), rows_, strict=True))
    return patched(sform_code=1, qform_code=0, **fields)


HEADERS = [
    *(row(f"dim0-{n}", patched(dim__0=n)) for n in (-1, 0, 1, 2, 8, 255, 32767)),
    *(row(f"dim{i}-is-{n}", patched(**{f"dim__{i}": n}))
      for i in (1, 2, 3) for n in (-1, 0, -32768)),
    *(row(f"dim{i}-is-{n}", patched(**{f"dim__{i}": n}), says="thinner")
      for i in (1, 2, 3) for n in (1, 2)),
    *(row(f"dim{i}-is-32767", patched(**{f"dim__{i}": 32767}), says="cut short")
      for i in (1, 2, 3)),
    row("all-dims-32000", patched(dim=(3, 32000, 32000, 32000, 1, 1, 1, 1)),
        says="promises"),
    row("all-dims-32000-gz", packed(patched(dim=(3, 32000, 32000, 32000, 1, 1, 1, 1))),
        GZ, "promises"),
    row("all-seven-dims-huge", patched(dim=(7, *[32767] * 7)), says="promises"),
    row("seven-dims", patched(dim=(7, 20, 22, 4, 2, 3, 1, 1)), says="3-D"),
    row("time-series", scan(np.stack([head()] * 3, -1)), says="3-D"),
    row("one-slice", scan(head()[:, :, :1]), says="thinner"),
    row("a-line", scan(head()[:, :1, :1]), says="thinner"),
    *(row(f"datatype-{code}", patched(datatype=code))
      for code in (-1, 0, 1, 3, 7, 255, 1024 + 1, 1536, 2048, 9999)),
    row("complex64", scan(dtype=np.complex64), says="complex"),
    row("complex128", scan(dtype=np.complex128), says="complex"),
    row("rgb", colour("RGB"), says="RGB"),
    row("rgba", colour("RGBA"), says="RGB"),
    *(row(f"vox-offset-{text}", patched(vox_offset=value))
      for text, value in {"nan": np.nan, "inf": np.inf, "negative": -352,
                          "past-the-end": 1e9, "in-the-header": 10.5}.items()),
    *(row(f"magic-{i}", patched(magic=m)) for i, m in enumerate((b"", b"abc", b"n+9"))),
    *(row(f"pixdim-{name}", patched(sform_code=0, qform_code=0, pixdim__1=value))
      for name, value in {"nan": np.nan, "inf": np.inf, "zero": 0.0,
                          "denormal": 1e-40}.items()),
    *(row(f"quaternion-{name}", patched(sform_code=0, qform_code=1, quatern_b=value))
      for name, value in {"nan": np.nan, "inf": np.inf, "too-long": 2.0}.items()),
    row("qform-pixdim-zero", patched(sform_code=0, qform_code=1, pixdim__2=0.0)),
    row("sform-nan", sform([np.nan, 0, 0, 0], [0, 8, 0, 0], [0, 0, 8, 0])),
    row("sform-inf", sform([np.inf, 0, 0, 0], [0, 8, 0, 0], [0, 0, 8, 0])),
    row("sform-nan-origin", sform([8, 0, 0, np.nan], [0, 8, 0, 0], [0, 0, 8, 0])),
    *(row(f"{key}-{code}", patched(**{key: code}), says=f"{key} must")
      for key in ("sform_code", "qform_code") for code in (-1, 6, 17598)),
    row("sform-zero", sform([0] * 4, [0] * 4, [0] * 4)),
    row("sform-one-axis-zero", sform([0, 0, 0, 0], [0, 8, 0, 0], [0, 0, 8, 0])),
    row("sform-origin-far-away", sform([8, 0, 0, 1e20], [0, 8, 0, 0], [0, 0, 8, 0])),
    row("sform-parallel-axes", sform([8, 8, 0, 0], [0, 0, 0, 0], [0, 0, 8, 0])),
    row("sform-1e30", sform([1e30, 0, 0, 0], [0, 1e30, 0, 0], [0, 0, 1e30, 0])),
    row("nifti-2-magic-in-nifti-1", patched(magic=b"n+2")),
]  # fmt: skip

VOXELS = [
    row("one-nan", voxels(np.nan), says="NaN or infinite"),
    row("one-inf", voxels(np.inf), says="NaN or infinite"),
    row("one-minus-inf", voxels(-np.inf), says="NaN or infinite"),
    row("beyond-float32", voxels(1e300, np.float64), says="NaN or infinite"),
    row("all-nan", scan(np.full((20, 20, 20), np.nan)), says="NaN or infinite"),
    row("all-zero", scan(np.zeros((20, 20, 20))), says="every voxel is 0"),
    row("constant", scan(np.full((20, 20, 20), 7.0)), says="every voxel is 7"),
    row("constant-int", scan(np.full((20, 20, 20), -3), dtype=np.int16), says="-3"),
    row("slope-nan-voxels", patched(scl_slope=np.inf, scl_inter=0.0)),
    row("intercept-inf", patched(scl_slope=1.0, scl_inter=np.inf)),
    row("slope-1e38", patched(scl_slope=3e38, scl_inter=0.0)),
    row("all-negative", scan(-head() - 1), says="foreground"),
    row("denormal-slope", patched(scl_slope=1e-45, scl_inter=0.0)),
]

CUT = [
    *(row(f"cut-to-{n}", scan()[:n])
      for n in (1, 4, 40, 100, 200, 347, 348, 351, 352, 353, 1000, 20000)),
    *(row(f"gz-cut-to-{n}", packed()[:n], GZ) for n in (1, 2, 3, 9, 10, 11, 50, 300)),
    row("gz-cut-in-half", packed()[: len(packed()) // 2], GZ),
    row("gz-cut-before-checksum", packed()[:-8], GZ),
    row("gz-wrong-checksum", packed()[:-8] + b"\0\0\0\0" + packed()[-4:], GZ),
    row("gz-flipped-bit", packed()[:900] + bytes([packed()[900] ^ 0x55]) + packed()[901:],
        GZ),
    row("gz-is-not-gzip", scan(), GZ),
    row("gz-twice", packed(packed()), GZ),
    row("gz-of-text", packed(b"no scan" * 100), GZ),
    row("gz-of-nothing", packed(b""), GZ),
    row("gz-raw-deflate", zlib.compress(scan()), GZ),
    row("gz-claims-bzip2", b"BZh9" + scan()[4:], GZ),
    row("gz-reserved-flags", packed()[:3] + b"\xff" + packed()[4:], GZ),
]  # fmt: skip


def other(content):
    return b"".join([content, bytes(2000)])


KINDS = [
    row("empty", b""),
    row("empty-gz", b"", GZ),
    row("zeros", bytes(5000)),
    row("ones", b"\xff" * 5000),
    row("text", b"not a scan\n" * 100),
    row("html-of-a-login-page", b"<!DOCTYPE html><html><body>Log in</body></html>"),
    row("git-lfs-pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    row("annex-pointer-file", b"/annex/objects/MD5E-s100--abc.nii.gz\n", GZ),
    row("png", other(b"\x89PNG\r\n\x1a\n")),
    row("zip", other(b"PK\x03\x04")),
    row("dicom", other(bytes(128) + b"DICM")),
    row("pickle", other(b"\x80\x04cos\nsystem\n(S'false'\ntR.")),
    row("elf", other(b"\x7fELF")),
    row("random", np.random.default_rng(0).bytes(9000)),
    row("random-gz", np.random.default_rng(1).bytes(9000), GZ),
]  # fmt: skip


def _linked(folder, target, name=GZ):
    (folder / "A").mkdir()
    (folder / name).symlink_to(target)


def _special(folder):
    (folder / "A").mkdir()
    os.mkfifo(folder / NII)


def _forbidden(folder):
    written(scan(), NII)(folder)
    (folder / NII).chmod(0)


PLACES = [
    row("a-directory", lambda folder: (folder / GZ).mkdir(parents=True), GZ, "directory"),
    row("a-pipe", _special, NII, "regular"),
    row("endless-device", partial(_linked, target="/dev/zero"), GZ, "regular"),
    row("empty-device", partial(_linked, target="/dev/null"), GZ, "regular"),
    row("annex-link", partial(_linked, target=".git/annex/objects/x/y"), GZ, "datalad get"),
    row("broken-link", partial(_linked, target="gone.nii.gz"), GZ, "broken link"),
    row("link-to-itself", partial(_linked, target="bad_T1w.nii.gz"), GZ, "link"),
    row("not-to-be-read", _forbidden, NII, "permission denied"),
    row("link-to-a-folder", partial(_linked, target=".."), GZ, "directory"),
]  # fmt: skip


MGH = "A/bad_T1w.mgh"
TABLE = ("cohort", "{here}/scans.csv")


def named(name, content, file=MGH, says=""):
    """A file that only a table leads to: folders are searched for NIfTI alone."""

    def make(folder):
        written(content, file)(folder)
        written(f"path,subject,site\n{file},1,A\n".encode(), "scans.csv")(folder)

    return Bad(f"mgh-{name}", make, TABLE, file.split("/")[-1], says)


def whole_mgh():
    return bytes(nib.MGHImage(head(), AFFINE).to_bytes())


def mgh(name, says="", **fields):
    """A FreeSurfer file with header fields replaced."""
    content = bytearray(whole_mgh())
    header = np.ndarray((), nib.freesurfer.mghformat.header_dtype, buffer=content)
    for key, value in fields.items():
        header[key] = value
    return named(name, bytes(content), says=says)


FREESURFER = [
    mgh("of-another-version", version=9),
    mgh("no-such-type", type=99),
    mgh("flat", dims=(20, 0, 24, 1)),
    mgh("negative", dims=(20, -22, 24, 1)),
    mgh("endless", dims=(32000, 32000, 32000, 1)),
    mgh("vast", "promises", dims=(1200, 1200, 1200, 1)),
    mgh("nan-spacing", delta=(np.nan, 8, 8)),
    mgh("flat-spacing", delta=(0, 8, 8)),
    mgh("nan-axes", Mdc=np.full((3, 3), np.nan)),
    named("cut", whole_mgh()[:100]),
    named("cut-to-3", whole_mgh()[:3]),
    named("empty", b""),
    named("not-gzip", whole_mgh(), "A/bad_T1w.mgz"),
]


def vast(verb, *more):
    """Ten metres of field of view: few voxels of its own, many of the model's grid."""
    content = scan(head((105,) * 3), np.diag([99.0, 99, 99, 1]), np.uint8)
    words = (verb, "{run}", "{here}/" + NII, *more, "--cover", "scan", "-o", "{here}/o")
    make = written(content, NII)
    return Bad(
        f"metres-across-{verb}", make, words, NII.split("/")[-1], "field of view"
    )


def small_and_large():
    """134 million voxels, as promised, in a file of 0.6 MB."""
    empty = packed(bytes(2**27), 1)
    fields = {"dim": (3, 512, 512, 512, 1, 1, 1, 1), "datatype": 2, "bitpix": 8}
    return packed(patched(**fields)[:352]) + empty


LARGE = [
    row("too-large-for-memory", written(small_and_large, GZ), GZ, "for memory, 512")
]
WHOLE = [vast("encode"), vast("harmonize", "--to", "A")]
SCANS = [*HEADERS, *VOXELS, *CUT, *KINDS, *PLACES, *FREESURFER, *LARGE]
