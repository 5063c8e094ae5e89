"""Tables, lists and trees that cannot be used are refused, each in one line."""

from bad_input import as_parameters, assert_refused
from bad_tables import COHORTS


@as_parameters(COHORTS)
def test_a_bad_cohort_is_named(row, tmp_path, monkeypatch, capsys):
    assert_refused(row, tmp_path, monkeypatch, capsys)
