"""Nothing is let in, nothing gets out: network, code in data."""

import ast
import importlib.util
import pickle
import sys
from pathlib import Path

import pytest
import torch
from bad_input import command, little_memory
from quickly import quickly
from scan_bytes import head, scan, written
from tiny import FEW, TINY, settings_of

import medvae
import noise_models
from medvae.errors import UserError
from medvae.training.checkpoints import read_checkpoint

FORBIDDEN_EVENTS = {
    "ftplib.connect", "http.client.connect", "pickle.find_class", "smtplib.connect",
    "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyaddr",
    "socket.gethostbyname", "socket.getnameinfo", "socket.sendmsg", "socket.sendto",
    "urllib.Request", "webbrowser.open",
}  # fmt: skip
seen: list[str] = []
is_watching = False


class Reached(BaseException):
    """Not to be caught by code that expects to be offline."""


def watch(event, arguments):
    if is_watching and event in FORBIDDEN_EVENTS:
        seen.append(f"{event} {arguments}")
        raise Reached(seen[-1])


sys.addaudithook(watch)


@pytest.fixture
def watching(monkeypatch):
    seen.clear()
    monkeypatch.setattr(sys.modules[__name__], "is_watching", True)
    yield seen
    monkeypatch.setattr(sys.modules[__name__], "is_watching", False)


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
    onnx = [["export", "run", "--format", "onnx", "-o", "onnx"]]
    onnx = onnx if importlib.util.find_spec("onnxruntime") else []
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
        ["export", "run", "--format", "monai-bundle", "-o", "bundle"],
        *onnx,
        ["demo", "--dry-run"],
        ["noise", "preview", "rician", cohort / "A/sub-0_T1w.nii", "-o", "p.png"],
        ["verify", "run"],
        ["phantom", "bids", "--sites", "NYU,UM_1,KKI", *FEW, "--jobs", "1"],
        ["fit-noise", "NYU", "UM_1", "--data", "bids", "--jobs", "1"],
        [
            "noise",
            "report",
            "scanner.yaml",
            "--data",
            "bids",
            "-o",
            "fit.html",
            "--jobs",
            "1",
        ],
        ["compare", "--data", "bids", "--config", "plan.yaml"],
    ):
        with quickly():
            code = command(monkeypatch, words)
        assert code == 0, capsys.readouterr().err
    assert watching == []


def test_the_watch_sees_a_socket_and_a_pickle(watching):
    import socket

    nowhere = ("127.0.0.1", 1)
    with socket.socket(type=socket.SOCK_DGRAM) as wire:
        for reach in (
            lambda: wire.connect(nowhere),
            lambda: wire.sendto(b"a", nowhere),
            lambda: wire.bind(("127.0.0.1", 0)),
            lambda: socket.getaddrinfo("localhost", 80),
            lambda: socket.gethostbyname("localhost"),
            lambda: pickle.loads(pickle.dumps(Path("a"))),
        ):
            with pytest.raises(Reached):
                reach()
    assert [event.split()[0] for event in watching] == [
        "socket.connect",
        "socket.sendto",
        "socket.bind",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "pickle.find_class",
    ]


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
