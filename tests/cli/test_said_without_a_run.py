"""What is said that needs no run: of splits, of settings, of what comes next."""

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medvae.cli.app import app
from medvae.cli.hints import codes_of, reading
from medvae.cli.training import _show_end
from medvae.cohort import Cohort, Scan, read_cohort
from medvae.encoding.told import COLUMNS
from medvae.errors import UserError
from medvae.files import digest
from medvae.training.config import load_config
from medvae.training.split import assign_splits, told


def test_the_end_of_training_names_the_epoch_that_was_kept(tmp_path, capsys):
    bounds = (10.0, 30.0, 20.0)
    lines = [
        json.dumps({"epoch": k, "validation_bound": b}) for k, b in enumerate(bounds)
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    _show_end(tmp_path, "medvae evaluate 'my run'")
    text = capsys.readouterr().out
    assert "3 epochs; the weights kept are those of epoch 2" in text
    assert "bound 30 nats a scan" in text
    assert "Next: medvae evaluate 'my run'" in text
    (tmp_path / "metrics.jsonl").write_text(lines[0] + "\n")
    _show_end(tmp_path, "medvae evaluate 'my run'")
    assert "1 epoch; the weights kept are those of epoch 1" in capsys.readouterr().out


def test_the_split_is_told_before_training(tmp_path):
    where = [(f"{site}{k}", site) for site in "ABC" for k in range(4)]
    where += [("T1", "A"), ("T1", "C")]
    scans = tuple(Scan(tmp_path / f"{w}{s}.nii", w, s) for w, s in where)
    cohort = Cohort(tmp_path, "table", scans)
    text = told(assign_splits(cohort, ("C",), 0), cohort, ("C",))
    assert text.startswith("split, by person: ")
    assert "(1 of them, seen at several sites, always)" in text
    assert text.endswith("; 4 at C alone are held out")


def test_a_setting_that_is_wrong_is_blamed_on_whoever_gave_it(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text("optimiser: {epochs: 3}\n")
    good, bad = "optimiser.learning_rate=0.1", "optimiser.epoch=5"
    with pytest.raises(UserError, match=r"^--set optimiser.epoch=5: unknown key 'opti"):
        load_config(path, [good, bad])
    with pytest.raises(
        UserError, match=r"^--set optimiser.epochs=-1: optimiser.epochs"
    ):
        load_config(path, ["optimiser.epochs=-1"])
    path.write_text("optimiser: {epoch: 3}\n")
    with pytest.raises(UserError, match=r"small.yaml: unknown key 'optimiser.epoch'"):
        load_config(path, [good])
    path.write_text("optimiser: {epochs: -3}\n")
    assert load_config(path, ["optimiser.epochs=2"]).optimiser.epochs == 2


def test_a_file_that_nobody_named_is_not_corrected(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "medvae2.yaml").touch()
    with pytest.raises(UserError, match=r"medvae.yaml not found\. Name the data"):
        read_cohort(Path("medvae.yaml"))
    with pytest.raises(UserError, match=r"Did you mean 'medvae2.yaml'\?"):
        read_cohort(Path("medvae1.yaml"))


def test_the_line_that_opens_python_reads_well():
    line = reading(Path("codes"))
    assert line.startswith('python -i -c "from ')
    assert "read_table('codes')" in line
    for odd in ("my codes", 'a"b', "a$b", "a`b", "it's", "a!b", "a\\b"):
        assert repr(odd) in shlex.split(reading(Path(odd)))[-1]
    assert '"' not in reading(Path("a$b")).split("'", 1)[0]


def test_codes_go_where_no_others_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine, other = (
        Cohort(tmp_path, "table", (Scan(Path(name), "1", "A"),))
        for name in ("data/a.nii", "data/b.nii")
    )
    for name in ("run", "run-2"):
        Path(name).mkdir()
        Path(name, "model.safetensors").write_text(name)
    run, again = Path("run"), Path("run-2")
    assert codes_of(run, mine) == Path("codes")
    row = dict.fromkeys(COLUMNS, "x") | {"path": "data/a.nii"}
    row["model"] = digest(run / "model.safetensors")
    marked = "\n".join("\t".join(cells) for cells in (row, row.values())) + "\n"
    for name in ("codes", "codes-2"):
        Path(name).mkdir()
        Path(name, "index.tsv").write_text(marked)
    assert codes_of(run, mine) == Path("codes")
    assert codes_of(run, other) == codes_of(again, mine) == Path("codes-3")


def test_models_are_listed_in_plain_words():
    assert "`" not in CliRunner().invoke(app, ["noise", "list"]).output
