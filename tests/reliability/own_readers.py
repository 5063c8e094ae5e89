"""Readers of what medvae wrote itself, which may come back damaged; for fuzzing."""

from __future__ import annotations

import io
import json
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
from scan_bytes import AFFINE, head

from medvae.comparison.scores import Probe, Row, Scores, read_scores
from medvae.encoding.harmonised import COLUMNS, read_index
from medvae.encoding.table import read_table
from medvae.evaluation import evaluate, read_evaluation
from medvae.evaluation.report import write_report
from medvae.export.card import read_story
from medvae.noise.named import open_noise
from medvae.phantom.dataset import TRUTH
from medvae.phantom.reimage import read_recipe
from medvae.training.seal import SEALED, check_seal
from medvae.version import __version__

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluation"))
from fake_cohort import FakeEncoder, fake_cohort


@cache
def _evaluation() -> bytes:
    found = evaluate(
        FakeEncoder(), fake_cohort(), held_out=["N"], permutations=5, align=False
    )
    return json.dumps(found.as_dict()).encode()


def told(path):
    """A file that is taken must also make a page."""
    found = read_evaluation(path)
    write_report(path.with_name("r.html"), title="", evaluations={"a": found})


def seeds_of_evaluation():
    return [_evaluation()]


def seeds_of_scores():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.json"
        rows = {"age_error": [Row("a", 1.0), Row("b", 2.0)]}
        probe = Probe(["a", "b"], np.array([0, 1]), np.array([[[1, 0], [0.2, 0.8]]]))
        found = []
        for one in (None, probe):
            Scores(rows, one).write(path)
            found.append(path.read_bytes())
    return found


def scored(path):
    found = read_scores(path)
    found.value("age_error")
    found.value("leakage")


def seeds_of_metrics():
    rows = [{"epoch": k, "step": k, "train_bound": -9.5, "scale": 0.1} for k in (0, 1)]
    return ["\n".join(map(json.dumps, rows)).encode()]


def seeds_of_recipe():
    recipe = {"sites": ["NYU"], "subjects": 2, "travelers": 1, "seed": 0}
    return [json.dumps(recipe | {"voxel_scale": 4.0}).encode()]


def recipe(path):
    folder = path.parent / TRUTH
    folder.mkdir(parents=True)
    shutil.copy(path, folder / "phantom.json")
    read_recipe(path.parent)


INDEX = "row\tname\tpath\tsubject\tsite\tsession\tdigest\tmodel\tfile\n"
INDEX += "0\ta\ta.nii\t1\tA\t\t00\t00\ta_latent.nii.gz\n"


def seeds_of_vectors():
    kept = io.BytesIO()
    np.save(kept, np.ones((1, 4), np.float32))
    return [kept.getvalue()]


def vectors(path):
    (path.parent / "index.tsv").write_text(INDEX)
    read_table(path.parent)


def index(path):
    (path.parent / "latents.npy").write_bytes(seeds_of_vectors()[0])
    read_table(path.parent)


HARMONISED = (
    "\t".join((*COLUMNS, "age"))
    + "\na.nii.gz\t01\t\tA\t../a.nii\tA\tdata\tB\tyes\t34\n"
)


def harmonised(path):
    read_index(path.parent)


def seeds_of_seal():
    files = dict.fromkeys(SEALED, "0" * 64)
    content = {"format": "medvae-seal", "version": 1, "files": files}
    sample = {"codes_sha256": "0" * 64, "first_codes": [0.1, 0.2]}
    more = {"software": {"medvae": __version__}, "sample": sample}
    return [json.dumps(content | more).encode()]


def seal(path):
    check_seal(path.parent)


def story(path):
    read_story(path.parent)


def noise(path):
    open_noise(str(path))


def mgz():
    image = nib.MGHImage(head(), AFFINE)
    return [bytes(image.to_bytes())]
