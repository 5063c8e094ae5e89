"""Presets, fitted files, settings and plans that lie are refused, each in one line."""

from bad_input import as_parameters, assert_refused
from bad_settings import ROWS


@as_parameters(ROWS)
def test_a_bad_yaml_is_named(row, tmp_path, monkeypatch, capsys):
    assert_refused(row, tmp_path, monkeypatch, capsys)
