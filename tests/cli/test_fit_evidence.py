"""fit-noise on travelers, and with covariates: what is used, said and refused."""

import json

import pytest
from tiny_run import run

from medvae.cohort import Cohort, Scan
from medvae.errors import UserError
from medvae.noise.covariates import covariate_values


def cohort(*rows):
    scans = tuple(
        Scan(path=f"{k}.nii", subject=str(k), **row) for k, row in enumerate(rows)
    )
    return Cohort("here", "table", scans)


PEOPLE = cohort(
    {"site": "A", "age": 20.0, "sex": "F", "covariates": {"iq": "100"}},
    {"site": "A", "age": 30.0, "sex": "M", "covariates": {"iq": "110"}},
    {"site": "B", "age": None, "sex": "M", "covariates": {"iq": "90"}},
)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A table of two sites that share two people."""
    root = tmp_path_factory.mktemp("few")
    options = ("--sites", "NYU,UM_1", "--subjects", 1, "--travelers", 2)
    run("phantom", root / "data", *options, "--voxel-scale", 8, "--jobs", 1)
    return root / "data"


def test_two_travelers_are_refused_before_anything_is_measured(few, tmp_path):
    out = tmp_path / "scanner.yaml"
    with pytest.raises(
        UserError, match=r"at least 3 people .*, got 2 \(NYU and UM_1\)"
    ):
        run("fit-noise", "NYU", "UM_1", "--data", few, "--paired", "-o", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        (("NYU", "KKI"), "the unpaired fit of NYU, UM_1"),
        (("NYU", "UM_1", "--paired"), "the unpaired fit of NYU, UM_1"),
        (("NYU", "KKI", "UM_1"), None),
        (("NYU", "UM_1"), None),
        ((), "no fit that is whole"),
    ],
)
def test_a_fit_replaces_one_of_no_more_sites_and_the_same_kind(
    words, holds, fitted, phantom, tmp_path
):
    out = tmp_path / "scanner.yaml"
    content = fitted.read_text() if words else "mine: 1\n"
    out.write_text(content)
    given = ("fit-noise", *(words or ("NYU", "UM_1")), "--data", phantom, "-o", out)
    if holds is None:
        assert "would fit" in run(*given, "--dry-run").output
    else:
        with pytest.raises(UserError, match=f"scanner.yaml: holds {holds}, and would"):
            run(*given)
    assert out.read_text() == content


def test_a_cluster_that_does_not_answer_is_named(few, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs the extra dask")
    monkeypatch.setattr("noise_models.scanner.task_pool._PATIENCE_SECONDS", 0.5)
    options = ("--data", few, "--with-travelers", "-o", tmp_path / "scanner.yaml")
    with pytest.raises(UserError, match=r"--dask tcp://127.*: no scheduler answers"):
        run("fit-noise", "NYU", "UM_1", *options, "--dask", "tcp://127.0.0.1:1")


def test_an_unknown_column_is_named_with_those_there_are(few, tmp_path):
    out = tmp_path / "scanner.yaml"
    options = ("--data", few, "--with-travelers", "--adjust", "bmi", "-o", out)
    with pytest.raises(UserError, match=r"--adjust bmi: no scan .* Known: age, sex"):
        run("fit-noise", "NYU", "UM_1", *options)


def test_age_and_sex_are_found_and_coded():
    values, adjust = covariate_values(PEOPLE)
    assert values["A"] == {"age": [20.0, 30.0], "sex=M": [0.0, 1.0]}
    assert values["B"]["sex=M"] == [1.0]
    assert adjust == ["age", "sex=M"]


def test_none_describes_and_adjusts_for_nothing():
    values, adjust = covariate_values(PEOPLE, [])
    assert list(values["A"]) == ["age", "sex=M"]
    assert adjust == []


def test_any_column_of_numbers_can_be_asked_for():
    values, adjust = covariate_values(PEOPLE, ["iq"])
    assert values["B"]["iq"] == [90.0]
    assert adjust == ["iq"]
    words = cohort({"site": "A", "covariates": {"hand": "left"}})
    with pytest.raises(UserError, match="--adjust hand: must hold numbers, got 'left'"):
        covariate_values(words, ["hand"])


def test_one_sex_only_is_nothing_to_adjust_for():
    men = cohort({"site": "A", "sex": "M"}, {"site": "B", "sex": "M"})
    assert covariate_values(men) == ({"A": {}, "B": {}}, [])
    with pytest.raises(UserError, match="two sexes are needed, got M"):
        covariate_values(men, ["sex"])


@pytest.mark.slow
def test_paired_fit_of_the_phantom_is_shown_with_its_numbers(tmp_path):
    data, out = tmp_path / "data", tmp_path / "scanner.yaml"
    options = ("--sites", "NYU,UM_1", "--subjects", 0, "--travelers", 3)
    run("phantom", data, *options, "--voxel-scale", 3, "--jobs", 1)
    result = run(
        *("fit-noise", "NYU", "UM_1", "--data", data, "--paired", "-o", out),
        *("--jobs", 1),
    )
    assert result.exit_code == 0
    assert "evidence: paired" in result.output
    content = json.loads(run("noise", "show", out, "--json").stdout)
    found = content["paired"]["NYU->UM_1"]
    assert found["people"] == 3
    assert set(content["covariates"]) >= {"age"}
