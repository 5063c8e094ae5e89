"""Nothing is let in, nothing gets out: network, code in data, identities."""

import ast
import gzip
import pickle
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bad_input import command, little_memory
from scan_bytes import AFFINE, head, scan, written

import medvae
import noise_models
from medvae.errors import UserError
from medvae.training.checkpoints import read_checkpoint

sys.path.insert(0, str(Path(__file__).parents[1] / "volume"))

WATCHED = {"socket.connect", "socket.getaddrinfo", "socket.bind", "pickle.find_class"}
seen: list[str] = []
is_watching = False


def watch(event, arguments):
    if is_watching and event in WATCHED:
        seen.append(f"{event} {arguments}")


sys.addaudithook(watch)


@pytest.fixture
def watching(monkeypatch):
    seen.clear()
    monkeypatch.setattr(sys.modules[__name__], "is_watching", True)
    yield seen
    monkeypatch.setattr(sys.modules[__name__], "is_watching", False)


SMALL = "grid.shape=[16,16,16] grid.spacing_mm=[12,12,12] network.channels=[2,4]"
TINY = f"{SMALL} network.latent_channels=1 optimiser.epochs=1 optimiser.batch_size=2"

FEW = ("--subjects", "3", "--travelers", "1", "--voxel-scale", "5")
PLAN = """
held_out: [KKI]
seeds: 1
permutations: 5
train:
  device: cpu
  grid: {shape: [16, 16, 16], spacing_mm: [12.0, 12.0, 12.0]}
  network: {channels: [2, 4], latent_channels: 1}
  optimiser: {epochs: 1}
arms: [{name: none, noise: none}]
"""


def settings_of(text):
    return [word for one in text.split() for word in ("--set", one)]


@pytest.fixture
def cohort(tmp_path):
    """Two sites of four noisy balls."""
    for i in range(8):
        name = f"data/{'AB'[i % 2]}/sub-{i}_T1w.nii"
        written(scan(head() * (1 + i)), name)(tmp_path)
    return tmp_path / "data"


def test_no_verb_reaches_for_the_network_or_unpickles(
    watching, cohort, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "plan.yaml").write_text(PLAN)
    train = ["train", "--noise", "rician", "--data", cohort, "-o", "run"]
    train += settings_of(TINY)
    machine = ["--device", "cpu", "--jobs", "1"]
    for words in (
        ["cohort", cohort],
        [*train, *machine],
        [*train, *machine, "--resume"],
        ["encode", "run", cohort, "-o", "codes", "--jobs", "0"],  # no pipes of our own
        ["decode", "run", "codes", "-o", "images"],
        ["noise", "apply", "rician", cohort / "A/sub-0_T1w.nii", "-o", "noisy"],
        ["harmonize", "run", cohort / "A", "--to", "B", "-o", "as-b", "--jobs", "0"],
        ["evaluate", "run", "--data", cohort, "--jobs", "1"],
        ["export", "run", "--format", "huggingface", "-o", "exported"],
        ["verify", "run"],
        ["phantom", "bids", "--sites", "NYU,UM_1,KKI", *FEW, "--jobs", "1"],
        ["fit-noise", "NYU", "UM_1", "--data", "bids", "--jobs", "1"],
        ["compare", "--data", "bids", "--config", "plan.yaml"],
    ):
        assert command(monkeypatch, words) == 0, capsys.readouterr().err
    assert watching == []


def test_the_watch_sees_a_socket_and_a_pickle(watching):
    import socket

    with socket.socket() as wire, pytest.raises(OSError, match=r"."):
        wire.connect(("127.0.0.1", 1))
    pickle.loads(pickle.dumps(Path("a")))
    assert {event.split()[0] for event in watching} >= {
        "socket.connect",
        "pickle.find_class",
    }


class Harm:
    def __reduce__(self):
        return (open, ("unpickled", "w"))


@pytest.mark.parametrize(
    "content",
    [pickle.dumps(Harm()), b"", b"\x80\x04.", b"PK\x03\x04" + bytes(99), b"a" * 999],
)
def test_a_checkpoint_that_is_none_is_refused_and_not_run(
    content, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"last\.ckpt: not a checkpoint"):
        read_checkpoint(path)
    assert not (tmp_path / "unpickled").exists()


def test_a_checkpoint_with_an_object_in_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "callbacks": Harm()}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="not a checkpoint"):
        read_checkpoint(tmp_path / "last.ckpt")
    assert not (tmp_path / "unpickled").exists()


FORBIDDEN = {
    "eval", "exec", "compile", "__import__", "pickle.load", "pickle.loads",
    "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen",
    "joblib.load", "marshal.loads", "torch.jit.load",
}  # fmt: skip


def test_a_checkpoint_that_promises_four_gigabytes_takes_no_memory(tmp_path):
    path = tmp_path / "last.ckpt"
    path.write_bytes(b"X\xff\xff\xff\xef" + b"a" * 99)
    with (
        little_memory(),
        pytest.raises(UserError, match=r"last\.ckpt: not a checkpoint"),
    ):
        read_checkpoint(path)


def calls(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def sources():
    for package in (medvae, noise_models):
        yield from Path(package.__file__).parent.rglob("*.py")


def test_the_source_calls_nothing_that_runs_data():
    found = [f"{path}: {name}" for path in sources() for name, _ in calls(path)
             if name in FORBIDDEN]  # fmt: skip
    assert found == []


def test_every_load_of_torch_and_numpy_refuses_objects():
    for path in sources():
        for name, node in calls(path):
            given_words = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if name == "torch.load":
                assert given_words.get("weights_only") == "True", path
            if name in {"np.load", "numpy.load"}:
                assert given_words.get("allow_pickle", "False") == "False", path


PATIENT = b"DOE^JANE"


def _identified(folder):
    image = nib.Nifti1Image(head(), AFFINE)
    for field in ("descrip", "aux_file", "db_name", "intent_name"):
        image.header[field] = PATIENT
    extension = nib.nifti1.Nifti1Extension("comment", b"patient " + PATIENT)
    image.header.extensions.append(extension)
    written(bytes(image.to_bytes()), "a.nii")(folder)


def test_a_patient_s_name_in_a_header_reaches_no_output(
    run_folder, tmp_path, monkeypatch, capsys
):
    _identified(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    train = ["train", "--noise", "rician", "--data", "one.csv", "-o", "run"]
    (tmp_path / "one.csv").write_text("path,subject,site,split\na.nii,1,A,train\n")
    for words in (
        [*train, *settings_of(TINY), "--device", "cpu", "--jobs", "1"],
        ["noise", "apply", "gaussian", "a.nii", "-o", "noisy"],
        ["encode", run_folder, "a.nii", "-o", "codes"],
        ["decode", run_folder, "codes", "-o", "images"],
        ["harmonize", run_folder, "a.nii", "--to", "B", "-o", "moved"],
        ["noise", "preview", "gaussian", "a.nii", "-o", "p.png", "--draws", "1"],
        ["cohort", "one.csv", "--json"],
    ):
        assert command(monkeypatch, words) == 0
    told = capsys.readouterr()
    files = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "a.nii"]
    assert len(files) == 25  # with the cache of prepared scans
    for path in files:
        raw = path.read_bytes()
        assert PATIENT not in (gzip.decompress(raw) if path.suffix == ".gz" else raw)
    assert PATIENT.decode() not in told.out + told.err


def test_a_patient_s_name_in_a_dicom_series_reaches_no_output(
    run_folder, tmp_path, monkeypatch, capsys
):
    for package in ("dcm2niix", "SimpleITK"):
        pytest.importorskip(package)
    from test_dicom import write_series

    series, kept = tmp_path / "series", tmp_path / "kept"
    write_series(series, head(), (8.0, 8.0, 8.0), np.eye(3))  # of a patient PHANTOM
    assert all(b"PHANTOM" in path.read_bytes() for path in series.iterdir())
    codes, images = kept / "codes", kept / "images"
    for words in (
        ["encode", run_folder, series, "-o", codes, "--jobs", "0"],
        ["decode", run_folder, codes, "-o", images],
        ["harmonize", run_folder, series, "--to", "B", "-o", kept, "--jobs", "0"],
        ["noise", "apply", "gaussian", series, "-o", kept / "noisy"],
    ):
        assert command(monkeypatch, words) == 0
    told = capsys.readouterr()
    files = [path for path in kept.rglob("*") if path.is_file()]
    assert len(files) == 11
    assert nib.load(kept / "noisy" / "series.nii.gz").shape == head().shape
    for path in files:
        raw = path.read_bytes()
        assert b"PHANTOM" not in (gzip.decompress(raw) if path.suffix == ".gz" else raw)
    assert "PHANTOM" not in told.out + told.err


def test_a_patient_s_name_is_found_where_it_is(tmp_path):
    _identified(tmp_path)
    assert (tmp_path / "a.nii").read_bytes().count(PATIENT) == 5
