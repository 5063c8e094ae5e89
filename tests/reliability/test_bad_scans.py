"""Bad scans, by whatever verb they come in: one line, exit 2, nothing written."""

from dataclasses import replace

import pytest
from bad_input import as_parameters, assert_refused
from bad_scans import SCANS, WHOLE
from permissions import as_anybody

# A thin scan is no cohort's, but may be corrupted or encoded on demand.
FOUND = [row for row in SCANS if "thinner" not in row.says]
VERBS = (
    ("noise", "apply", "gaussian", "{here}/{file}", "-o", "{here}/out"),
    ("noise", "score", "{fit}", "{here}/{file}"),
    ("encode", "{run}", "{here}/{file}", "-o", "{here}/out"),
    ("harmonize", "{run}", "{here}/{file}", "--to", "A", "-o", "{here}/out"),
)


def asked_of(row, words):
    file = f"A/{row.file}"
    words = tuple(word.replace("{file}", file) for word in words)
    return replace(row, words=words, says="")


IN_TURN = [asked_of(row, VERBS[i % len(VERBS)]) for i, row in enumerate(FOUND)]


@pytest.fixture(autouse=True)
def permissions_hold():
    with as_anybody():
        yield


@as_parameters(SCANS)
def test_cohort_names_a_bad_scan(row, tmp_path, monkeypatch, capsys):
    assert_refused(row, tmp_path, monkeypatch, capsys)


@as_parameters(IN_TURN)
def test_a_verb_names_a_bad_scan(
    row, run_folder, fit_file, tmp_path, monkeypatch, capsys
):
    assert_refused(row, tmp_path, monkeypatch, capsys, run=run_folder, fit=fit_file)


@as_parameters(WHOLE)
def test_a_scan_of_the_wrong_unit_does_not_take_all_memory(
    row, run_folder, tmp_path, monkeypatch, capsys
):
    assert_refused(row, tmp_path, monkeypatch, capsys, run=run_folder)


@pytest.mark.study  # two minutes: every scan with every verb
@pytest.mark.parametrize("words", VERBS, ids=lambda words: "-".join(words[:2]))
@as_parameters(FOUND)
def test_every_verb_names_a_bad_scan(
    row, words, run_folder, fit_file, tmp_path, monkeypatch, capsys
):
    asked = asked_of(row, words)
    assert_refused(asked, tmp_path, monkeypatch, capsys, run=run_folder, fit=fit_file)
