"""A finished run, as far as exporting looks at one."""

import sys
from pathlib import Path

import pytest
import yaml

from medvae.files import write_json
from medvae.model.weights import save_model

sys.path.insert(0, str(Path(__file__).parents[1] / "encoding"))

from small_encoder import small_encoder


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    folder.mkdir()
    encoder = small_encoder()
    save_model(encoder.vae, folder)
    settings = {"held_out": ["KKI"], "objective": {"name": "dvae"}, "noise": "rician"}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    (folder / "noise.yaml").write_text("model: rician\nsigma: [0.01, 0.1]\n")
    people = {"s1": "train", "s2": "train", "s3": "validation"}
    write_json(folder / "splits.json", {"sites": ["A", "B"], "subjects": people})
    return folder
