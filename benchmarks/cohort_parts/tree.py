"""A BIDS tree of scans that are header and hole: sizes right, voxels never written."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (176, 256, 256)
SITES = 40


def make_tree(root: Path, scans: int) -> None:
    """Write ``scans`` subjects of one scan each, and participants.tsv."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape(SHAPE)
    header.set_sform(np.diag([1.0, 1.0, 1.0, 1.0]), code=1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    start = header.binaryblock + b"\0" * 4
    size = 352 + 2 * int(np.prod(SHAPE))
    rows = ["participant_id\tage\tsex\tsite"]
    for number in range(scans):
        name = f"sub-{number:06d}"
        folder = root / name / "anat"
        folder.mkdir(parents=True)
        with (folder / f"{name}_T1w.nii").open("wb") as file:
            file.write(start)
            file.truncate(size)
        site = f"site{number % SITES:02d}"
        rows.append(f"{name}\t{20 + number % 60}\t{'FM'[number % 2]}\t{site}")
    (root / "participants.tsv").write_text("\n".join(rows) + "\n")
