"""Readers of what medvae keeps for itself, which may be damaged; for fuzzing.

They say nothing to the user: what cannot be read is made again. Here a reader that
passes a file over raises the user's error, so that it counts as refused.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
from own_readers import INDEX
from scan_bytes import AFFINE, scan

from medvae.cohort import index
from medvae.comparison import stage
from medvae.comparison.finished import read_finished
from medvae.encoding.earlier import is_free_for
from medvae.encoding.finished import (
    FOLDER,
    check_originals,
    check_same,
    finished,
    vouched,
)
from medvae.encoding.told import rows_of_codes
from medvae.errors import UserError
from medvae.phantom.dataset import TRUTH, make_phantom
from medvae.volume import Grid, write_nifti
from medvae.volume.cache import _is_whole as is_whole
from medvae.volume.cache import prepare_scans
from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.scans import _remembered as remembered

GRID = Grid((4, 4, 4), (40.0,) * 3)


def _taken(found):
    if not found:
        raise UserError("passed over")
    return found


def free(path):
    _taken(is_free_for(path.parent, [Path("a.nii")], "00"))


def seeds_of_free():
    return [INDEX.encode()]


def row(path):
    path.with_name("a_latent.nii.gz").touch()
    told = _taken([*rows_of_codes(path.parent, [])])
    assert is_free_for(path.parent, [Path(told[0]["path"])], told[0]["model"] or None)


def seeds_of_row():
    cells = {"name": "a", "path": "a.nii", "subject": "1", "site": "A", "session": ""}
    content = {"model_digest": "00", "scan_digest": "00", "row": cells}
    return [json.dumps(content).encode()]


@cache
def _made() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-made-"))
    with vouched(
        folder / "a.nii", Path("a"), {"scan": "12ab", "site": "A"}, changed=True
    ):
        (folder / "a.nii").write_bytes(b"voxels")
    return folder


def made(path):
    image = path.parent / "a.nii"
    shutil.copy(_made() / "a.nii", image)
    (path.parent / FOLDER).mkdir()
    path.rename(path.parent / FOLDER / path.name)
    check_same([image], {"site": "A"})
    check_originals([image], [image.with_name("b")], "scan", lambda path: "12ab")
    _taken(finished(image, {"scan": "12ab", "site": "A"}))


def seeds_of_made():
    return [(_made() / FOLDER / "a.nii.json").read_bytes()]


@cache
def _cohort() -> bytes:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-cohort-"))
    (folder / "A").mkdir()
    (folder / "A" / "a.nii").write_bytes(scan())
    index.examined_cohort(folder / "A", cache=folder)
    (kept,) = (folder / "cohorts").iterdir()
    return kept.read_bytes()


def cohort(path):
    found = _taken(index._remembered(path))
    assert [scan.path.name for scan in found.cohort.scans] == ["a.nii"]
    assert all(row["site"] for row in found.rows)


def seeds_of_cohort():
    return [_cohort()]


def estimate(path):
    found = ScanEstimate.from_dict(_taken(remembered(path)))
    assert found.vector.shape == (len(NAMES),)


def seeds_of_estimate():
    one = ScanEstimate((0.1,) * len(NAMES), (1.0, 1.0, 1.0), 100.0, "air")
    return [json.dumps(one.as_dict()).encode()]


@cache
def _prepared() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-prepared-"))
    rng = np.random.default_rng(0)
    head = np.full((12, 12, 12), 5.0)
    head[3:9, 3:9, 3:9] = rng.normal(500, 20, (6, 6, 6))
    write_nifti(folder / "a.nii", head, np.diag([15.0, 15.0, 15.0, 1.0]), np.float32)
    file = index.Scan(folder / "a.nii", "a", "A")
    return prepare_scans([file], GRID, folder / "cache").folders[0]


def prepared(path):
    """One file of an entry beside the others, as they are."""
    for other in _prepared().iterdir():
        if other.name != path.name:
            shutil.copy(other, path.parent)
    _taken(is_whole(path.parent, GRID))


def seeds_of_prepared(name):
    return [(_prepared() / name).read_bytes()]


def phantom(path):
    """Found to be whole, or another's."""
    (path.parent / "out" / TRUTH).mkdir(parents=True)
    shutil.copy(path, path.parent / "out" / TRUTH / path.name)
    make_phantom(
        path.parent / "out", sites=["NYU"], subjects=2, travelers=1, voxel_scale=4.0
    )


def done(path):
    read_finished(path)


def seeds_of_done():
    content = {"digest": "00", "choice": 0, "settings": [{}], "validation": {}}
    tried = [{"error": 1.0, "age": 0.8, "leakage": auc} for auc in (0.9, None)]
    chosen = {"settings": [{}, {}], "validation": dict(enumerate(tried))}
    rest = {"energy": 0.5, "factor": None}
    return [json.dumps(content | rest | more).encode() for more in ({}, chosen)]


def level(path):
    stage._number(path, "factor")


def seeds_of_level():
    return [b'{"factor": 0.5}']


def mask():
    image = nib.Nifti1Image(np.eye(3, dtype=np.uint8)[None], AFFINE)
    return [image.to_bytes()]
