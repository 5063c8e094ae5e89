"""Nothing is let in, nothing gets out: network, code in data, names, identities."""

import ast
import gzip
import json
import pickle
import sys
from pathlib import Path

import nibabel as nib
import pytest
import torch
from bad_input import command
from hypothesis import given
from hypothesis import strategies as st
from scan_bytes import AFFINE, head, scan, written

import medvae
import noise_models
from medvae.cli.plain import one_line, plain
from medvae.encoding.names import check_outputs, stems
from medvae.errors import UserError
from medvae.evaluation import evaluate
from medvae.evaluation.report import Picture, write_report
from medvae.training.checkpoints import read_checkpoint

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluation"))
from fake_cohort import FakeEncoder, fake_cohort

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
    settings = [word for one in TINY.split() for word in ("--set", one)]
    train = ["train", "--noise", "rician", "--data", cohort, "-o", "run", *settings]
    machine = ["--device", "cpu", "--jobs", "1"]
    for words in (
        ["cohort", cohort],
        [*train, *machine],
        [*train, *machine, "--resume"],
        ["encode", "run", cohort, "-o", "codes", "--jobs", "0"],  # no pipes of our own
        ["decode", "run", "codes", "-o", "images"],
        ["noise", "apply", "rician", cohort / "A/sub-0_T1w.nii", "-o", "noisy"],
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
    for words in (
        ["noise", "apply", "gaussian", "a.nii", "-o", "noisy"],
        ["encode", run_folder, "a.nii", "-o", "codes"],
        ["decode", run_folder, "codes", "-o", "images"],
        ["harmonize", run_folder, "a.nii", "--to", "B", "-o", "moved"],
        ["noise", "preview", "gaussian", "a.nii", "-o", "p.png", "--draws", "1"],
        ["cohort", ".", "--json"],
    ):
        command(monkeypatch, words)
    told = capsys.readouterr()
    files = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "a.nii"]
    assert len(files) == 11
    for path in files:
        raw = path.read_bytes()
        assert PATIENT not in (gzip.decompress(raw) if path.suffix == ".gz" else raw)
    assert PATIENT.decode() not in told.out + told.err


def test_a_patient_s_name_is_found_where_it_is(tmp_path):
    _identified(tmp_path)
    assert (tmp_path / "a.nii").read_bytes().count(PATIENT) == 5


NAMES = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=12)


@given(st.lists(st.lists(NAMES, min_size=1, max_size=4), min_size=1, max_size=5))
def test_names_of_outputs_lead_nowhere_else(parts):
    paths = [Path("/", *words, "x.nii") for words in parts]
    try:
        names = stems(paths)
    except UserError:
        return  # two paths are one
    assert all("/" not in name and name not in {"", ".", ".."} for name in names)
    assert len(set(names)) == len(paths)


def test_an_output_never_replaces_a_scan_behind_a_link(tmp_path):
    written(scan(), "real/a.nii")(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UserError, match="would be overwritten"):
        check_outputs(tmp_path / "link", ["a.nii"], [tmp_path / "real" / "a.nii"])


@given(st.text())
def test_what_is_printed_holds_no_control_character(text):
    line = one_line(text)
    assert line.isprintable()
    assert "\n" not in line
    assert all(c.isprintable() or c == "\n" for c in plain(text))


SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'


def test_a_report_shows_a_script_as_text(tmp_path):
    scans = fake_cohort()
    for scan_ in scans:
        scan_.subject = f"{SCRIPT}{scan_.subject}"
        scan_.site = f"{IMAGE}{scan_.site}" if scan_.site == "N" else scan_.site
    found = evaluate(
        FakeEncoder(),
        scans,
        held_out=[f"{IMAGE}N"],
        permutations=5,
        align=False,
        run=SCRIPT,
    )
    picture = Picture(f"{SCRIPT} at {IMAGE}", {"input": head()[10]})
    page = write_report(
        tmp_path / "r.html",
        title=SCRIPT,
        evaluations={SCRIPT: found},
        noise={SCRIPT: IMAGE},
        pictures=[picture],
    ).read_text(encoding="utf-8")
    assert "<script" not in page.casefold()
    assert "<img src=x" not in page.casefold()
    assert "&lt;script&gt;" in page


def test_json_of_a_cohort_survives_strange_names(tmp_path, monkeypatch, capsys):
    written(scan(), f"{SCRIPT.replace('/', '_')}/a_T1w.nii")(tmp_path)
    assert command(monkeypatch, ["cohort", tmp_path, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["sites"][0]["site"].startswith("<script>")


def test_a_name_that_is_not_utf_8_is_told_not_crashed_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "A").mkdir()
    bad = bytes(tmp_path / "A") + b"/\xff_T1w.nii"
    Path(bad.decode(errors="surrogateescape")).write_bytes(scan())
    assert command(monkeypatch, ["cohort", tmp_path]) == 2
    assert r"\udcff_T1w.nii: its name" in capsys.readouterr().err
