"""Runs that go on after anything, and a seal that tells what changed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from bad_input import command

import noise_models
from medvae.errors import UserError
from medvae.files import digest
from medvae.lock import sole_writer
from medvae.training.seal import SEALED, check_seal
from medvae.version import __version__
from medvae.volume import Grid, prepare_scans

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from scan_bytes import head, scan, written
from training_material import cohort, material, settings

from medvae.cohort import Scan
from medvae.training.run import train

SMALL = (
    "grid.shape=[16,16,16]",
    "grid.spacing_mm=[12,12,12]",
    "network.channels=[2,4]",
    "network.latent_channels=1",
    "optimiser.epochs=1",
    "device=cpu",
)
NOISE = noise_models.get("rician", sigma=(0.05, 0.1))


def run_in(folder, **options):
    return train(settings(), cohort(), material(), NOISE, folder, **options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run_in(tmp_path_factory.mktemp("runs") / "run", command="medvae train")


@pytest.fixture
def run(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_a_run_killed_before_its_settings_were_written_starts_over(run, finished):
    for path in run.iterdir():
        if path.name not in {"noise.yaml", "splits.json"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    run_in(run, resume=True)
    for name in SEALED:
        assert digest(run / name) == digest(finished / name)


def test_a_folder_with_anything_else_in_it_is_not_a_start(run):
    (run / "config.yaml").unlink()
    with pytest.raises(UserError, match="not empty"):
        run_in(run, resume=True)


def test_half_a_checkpoint_is_refused_by_name(run):
    last = run / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    with pytest.raises(UserError, match=r"last\.ckpt: not a checkpoint"):
        run_in(run, resume=True)
    last.unlink()
    run_in(run, resume=True)  # over from the start
    assert check_seal(run).is_good


def test_a_run_in_use_is_not_written_by_another(run):
    with sole_writer(run), pytest.raises(UserError, match="another medvae"):
        run_in(run, resume=True)


def test_a_finished_run_is_sealed_and_found_good(run, monkeypatch, capsys):
    found = check_seal(run)
    assert found.is_good
    assert found.same_bits
    content = json.loads((run / "seal.json").read_text())
    assert content["command"] == "medvae train"
    assert command(monkeypatch, ["verify", run]) == 0
    assert "to the last bit" in capsys.readouterr().out


@pytest.mark.parametrize("name", SEALED)
def test_one_changed_byte_is_found_and_named(name, run, monkeypatch, capsys):
    content = bytearray((run / name).read_bytes())
    content[-2] ^= 1
    (run / name).write_bytes(bytes(content))
    assert command(monkeypatch, ["verify", run]) == 2
    assert f"{name}: changed since" in capsys.readouterr().err


def test_a_file_that_is_gone_is_found(run, monkeypatch, capsys):
    (run / "noise.yaml").unlink()
    assert command(monkeypatch, ["verify", run]) == 2
    assert "noise.yaml: changed since" in capsys.readouterr().err


def test_a_model_that_encodes_otherwise_is_found(run, monkeypatch, capsys):
    seal = json.loads((run / "seal.json").read_text())
    seal["sample"]["first_codes"][0] += 0.01
    (run / "seal.json").write_text(json.dumps(seal))
    assert command(monkeypatch, ["verify", run]) == 2
    assert "encoded otherwise" in capsys.readouterr().err


def test_other_software_is_named(run, monkeypatch, capsys):
    seal = json.loads((run / "seal.json").read_text())
    seal["software"]["torch"] = "1.0"
    (run / "seal.json").write_text(json.dumps(seal))
    assert command(monkeypatch, ["verify", run]) == 0
    assert "torch 1.0 -> " in capsys.readouterr().err


@pytest.mark.parametrize("software", [[], "torch", None])
def test_a_seal_without_a_table_of_software_is_refused(
    software, run, monkeypatch, capsys
):
    seal = json.loads((run / "seal.json").read_text())
    (run / "seal.json").write_text(json.dumps(seal | {"software": software}))
    assert command(monkeypatch, ["verify", run]) == 2
    assert "seal.json: not a seal" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": 3}', "[" * 9999])
def test_a_broken_seal_is_refused(content, run, monkeypatch, capsys):
    (run / "seal.json").write_text(content)
    assert command(monkeypatch, ["verify", run]) == 2
    assert "seal.json" in capsys.readouterr().err


def test_a_run_without_a_seal_is_refused(run, monkeypatch, capsys):
    (run / "seal.json").unlink()
    assert command(monkeypatch, ["verify", run]) == 2
    assert "medvae train --resume" in capsys.readouterr().err


def test_prepared_scans_are_the_same_bits_for_any_number_of_processes(tmp_path):
    for i in range(3):
        written(scan(head() * (i + 1)), f"{i}.nii")(tmp_path)
    scans = [Scan(tmp_path / f"{i}.nii", str(i), "A") for i in range(3)]
    grid = Grid((16, 16, 16), (12.0, 12.0, 12.0))
    stores = [
        prepare_scans(scans, grid, tmp_path / f"cache-{jobs}", jobs) for jobs in (1, 2)
    ]
    for one, two in zip(stores[0].folders, stores[1].folders, strict=True):
        assert {p.name: digest(p) for p in one.iterdir()} == {
            p.name: digest(p) for p in two.iterdir()
        }


def test_codes_are_the_same_bits_for_any_number_of_processes(
    run_folder, tmp_path, monkeypatch
):
    for i in range(5):
        written(scan(head() * (i + 1)), f"data/{i}.nii")(tmp_path)
    words = ["encode", run_folder, tmp_path / "data", "-o"]
    for jobs in ("0", "1", "2"):
        assert command(monkeypatch, [*words, tmp_path / jobs, "--jobs", jobs]) == 0
    codes = {digest(tmp_path / jobs / "latents.npy") for jobs in ("0", "1", "2")}
    assert len(codes) == 1


def test_another_process_trains_the_same_bits(tmp_path):
    here = train(settings(), cohort(11), material(11), NOISE, tmp_path / "here")
    program = Path(__file__).parents[1] / "training" / "train_alone.py"
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    subprocess.run(
        [sys.executable, program, tmp_path / "there"],
        env=os.environ | threads | {"PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
    )
    weights = {digest(f / "model.safetensors") for f in (here, tmp_path / "there")}
    assert len(weights) == 1


TABLE = "path,subject,site,split\n" + "".join(
    f"{i}.nii,{i},{'AB'[i % 2]},{'train' if i < 6 else 'test'}\n" for i in range(8)
)


def test_an_evaluation_says_of_what_and_by_what(tmp_path, monkeypatch):
    for i in range(8):
        written(scan(head() * (i + 1)), f"{i}.nii")(tmp_path)
    table = written(TABLE.encode(), "scans.csv")
    table(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    small = [word for one in SMALL for word in ("--set", one)]
    data = ["--data", tmp_path / "scans.csv", "--jobs", "1"]
    run = tmp_path / "run"
    assert (
        command(monkeypatch, ["train", "--noise", "none", *data, *small, "-o", run])
        == 0
    )

    def told():
        assert command(monkeypatch, ["evaluate", run, *data, "--copies", "0"]) == 0
        return json.loads((run / "evaluation.json").read_text())["provenance"]

    first = told()
    assert first["command"].startswith(f"medvae evaluate {run}")
    assert first["software"]["medvae"] == __version__
    assert first["scans"] == 8
    assert told() == first
    written(scan(head() * 9), "7.nii")(tmp_path)
    changed = {name for name, value in told().items() if value != first[name]}
    assert changed == {"scans_digest"}
