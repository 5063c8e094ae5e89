"""Every reader of files from outside, as a function of bytes; for fuzzing.

Whatever the bytes, a reader may end in one way only, apart from success: the error that
is for the user. Anything else that is raised is a finding.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import kept_readers as kept
import numpy as np
import own_readers
import torch
import yaml
from scan_bytes import packed, scan
from tiny_fit import fitted_noise

import noise_models
from medvae.cohort.datalist import read_datalist
from medvae.cohort.reader import read_cohort
from medvae.cohort.site import sidecar_site
from medvae.cohort.table import read_table
from medvae.comparison.plan import load_plan
from medvae.encoding.axes import PersonAxes, read_axes
from medvae.encoding.encoder import Encoder
from medvae.encoding.folder import Item, encode_folder
from medvae.encoding.latent_file import read_latent
from medvae.errors import UserError
from medvae.files import digest
from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.weights import save_model
from medvae.training.checkpoints import read_checkpoint
from medvae.training.config import load_config
from medvae.training.progress import read_metrics
from medvae.training.run_folder import read_plan
from medvae.volume import read_volume
from medvae.volume.checks import check_scan
from medvae.volume.mask import read_mask
from noise_models.scanner import save_scanner
from noise_models.scanner.artefact import content_digest
from noise_models.scanner.scans import read_scan


@dataclass(frozen=True)
class Reader:
    """A reader, and valid bytes to start from.

    Args:
        read: Reads a file.
        file: What the file is called.
        seeds: Valid contents.
        raises: What it may raise.
    """

    read: Callable[[Path], object]
    file: str
    seeds: Callable[[], list[bytes]]
    raises: tuple[type[Exception], ...] = (UserError,)

    def feed(self, content: bytes) -> bool:
        """Give it bytes; whether it took them."""
        with _folder() as folder:
            path = folder / self.file
            path.write_bytes(content)
            try:
                self.read(path)
            except self.raises:
                return False
            return True


@contextmanager
def _folder():
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        yield Path(name)


def _scan(path):
    check_scan(path)
    assert np.asarray(read_volume(path).data).dtype == np.float32


def _fitted(path):
    """A file that is taken must also corrupt without NaN."""
    noise = noise_models.load(path)
    rng = torch.Generator().manual_seed(0)
    y = noise(torch.rand(1, 1, 6, 6, 6), rng=rng, spacing_mm=(2.0, 2.0, 2.0))
    assert torch.isfinite(y).all()


def _redigested(path):
    """As :func:`_fitted`, of content whose digest was made to fit."""
    try:
        content = yaml.safe_load(path.read_bytes())
        content["digest"] = content_digest(content)
        text = yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False)
        path.write_text(text, encoding="utf-8")
    except Exception:
        pass
    _fitted(path)


def _pointer(path):
    read_cohort(path)


@cache
def _model() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-model-"))
    torch.manual_seed(0)
    config = NetworkConfig(
        grid_shape=(4, 4, 4), spacing_mm=(40.0,) * 3, channels=(2,), latent_channels=1
    )
    save_model(DenoisingVAE(config), folder)
    (folder / "a.nii").write_bytes(scan())
    encode_folder(Encoder.load(folder), [Item(folder / "a.nii")], folder / "out")
    return folder


def _beside_model(name):
    def read(path):
        for file in ("config.json", "model.safetensors"):
            if file != name:
                shutil.copy(_model() / file, path.parent)
        Encoder.load(path.parent)

    return read


def _beside_map(path):
    for name in ("a_latent.nii.gz", "a_latentstd.nii.gz"):
        shutil.copy(_model() / "out" / name, path.parent)
    latent = read_latent(path.parent / "a_latent.nii.gz")
    Encoder.load(_model()).decode(latent)


def _vouched_for(path):
    """A map packed, and its JSON made to fit it."""
    whole = path.with_name("a_latent.nii.gz")
    whole.write_bytes(gzip.compress(path.read_bytes(), 1, mtime=0))
    shutil.copy(_model() / "out" / "a_latentstd.nii.gz", path.parent)
    content = json.loads((_model() / "out" / "a_latent.json").read_bytes())
    content["latent_digest"] = digest(whole)
    path.with_name("a_latent.json").write_text(json.dumps(content))
    Encoder.load(_model()).decode(read_latent(whole))


def _map():
    return [gzip.decompress((_model() / "out" / "a_latent.nii.gz").read_bytes())]


def _file(*parts):
    return lambda: [_model().joinpath(*parts).read_bytes()]


def _fit_text():
    with _folder() as folder:
        return [save_scanner(fitted_noise(), folder / "s.yaml").read_bytes()]


def _checkpoint():
    with _folder() as folder:
        torch.save({"state_dict": {"a": torch.ones(3)}, "epoch": 3}, folder / "c")
        return [(folder / "c").read_bytes()]


def _axes():
    with _folder() as folder:
        PersonAxes(np.zeros(3), np.eye(3, 2), np.eye(3, 2)).write(folder / "a")
        return [(folder / "a").read_bytes()]


def _texts(*texts):
    return lambda: [text.encode() for text in texts]


TABLE = "path,subject,site,age,sex,split\na.nii,1,A,30,F,train\nb.nii,2,B,89+,M,test\n"
LIST = json.dumps({"training": [{"image": "a.nii", "site": "A", "age": 3}], "x": [1]})
SIDECAR = (
    '{"Manufacturer": "S", "ManufacturersModelName": "T", "DeviceSerialNumber": 1}'
)
LIBRARY = (UserError, ValueError, TypeError, FileNotFoundError)
READERS = {
    "scan": Reader(_scan, "a.nii", lambda: [scan(), scan(dtype="i2")]),
    "scan-gz": Reader(_scan, "a.nii.gz", lambda: [packed()]),
    "table": Reader(read_table, "t.csv", _texts(TABLE, TABLE.replace(",", "\t"))),
    "datalist": Reader(read_datalist, "l.json", _texts(LIST)),
    "sidecar": Reader(
        lambda p: sidecar_site(p.with_name("a.nii"), p.parent),
        "a.json",
        _texts(SIDECAR),
    ),
    "pointer": Reader(_pointer, "medvae.yaml", _texts("data: x\nsuffix: T1w\n")),
    "preset": Reader(
        noise_models.load, "p.yaml", _texts("model: rician\nsigma: [0.1, 0.2]"), LIBRARY
    ),
    "fitted": Reader(_fitted, "s.yaml", _fit_text, LIBRARY),
    "fitted-redigested": Reader(_redigested, "s.yaml", _fit_text, LIBRARY),
    "settings": Reader(
        load_config, "t.yaml", _texts("seed: 1\noptimiser: {epochs: 3}\n")
    ),
    "plan": Reader(load_plan, "c.yaml", _texts("arms: [{name: a, noise: none}]\n")),
    "splits": Reader(
        lambda p: read_plan(p.parent), "splits.json",
        _texts('{"sites": ["A"], "subjects": {"1": "train"}}'),
    ),
    "config": Reader(
        _beside_model("config.json"), "config.json", _file("config.json")
    ),
    "weights": Reader(
        _beside_model("model.safetensors"), "model.safetensors",
        _file("model.safetensors"),
    ),
    "axes": Reader(read_axes, "axes.safetensors", _axes),
    "latent": Reader(_beside_map, "a_latent.json", _file("out", "a_latent.json")),
    "map": Reader(_vouched_for, "a_latent.nii", _map),
    "checkpoint": Reader(read_checkpoint, "last.ckpt", _checkpoint),
    "scan-mgz": Reader(_scan, "a.mgh", own_readers.mgz),
    "noise": Reader(
        own_readers.noise, "p.yaml", _texts("model: rician\nsigma: [0.1, 0.2]")
    ),
    "metrics": Reader(read_metrics, "metrics.jsonl", own_readers.seeds_of_metrics),
    "seal": Reader(own_readers.seal, "seal.json", own_readers.seeds_of_seal),
    "story": Reader(own_readers.story, "config.yaml", _texts("seed: 1\nnoise: none")),
    "evaluation": Reader(
        own_readers.told, "evaluation.json", own_readers.seeds_of_evaluation
    ),
    "scores": Reader(own_readers.scored, "scores.json", own_readers.seeds_of_scores),
    "recipe": Reader(own_readers.recipe, "phantom.json", own_readers.seeds_of_recipe),
    "index": Reader(own_readers.index, "index.tsv", _texts(own_readers.INDEX)),
    "harmonised": Reader(
        own_readers.harmonised, "index.tsv", _texts(own_readers.HARMONISED)
    ),
    "vectors": Reader(
        own_readers.vectors, "latents.npy", own_readers.seeds_of_vectors
    ),
    "mask": Reader(read_mask, "a_mask.nii", kept.mask),
    "free": Reader(kept.free, "index.tsv", kept.seeds_of_free),
    "row": Reader(kept.row, "a_latent.json", kept.seeds_of_row),
    "made": Reader(kept.made, "a.nii.json", kept.seeds_of_made),
    "kept-cohort": Reader(kept.cohort, "c.json", kept.seeds_of_cohort),
    "kept-estimate": Reader(kept.estimate, "e.json", kept.seeds_of_estimate),
    "kept-meta": Reader(
        kept.prepared, "meta.json", lambda: kept.seeds_of_prepared("meta.json")
    ),
    "kept-image": Reader(
        kept.prepared, "image.npy", lambda: kept.seeds_of_prepared("image.npy")
    ),
    "phantom": Reader(kept.phantom, "phantom.json", own_readers.seeds_of_recipe),
    "done": Reader(kept.done, "done.json", kept.seeds_of_done),
    "level": Reader(kept.level, "gaussian.json", kept.seeds_of_level),
    "scan-of-library": Reader(
        read_scan, "a.nii", lambda: [scan(), scan(dtype="i2")], LIBRARY
    ),
}  # fmt: skip
