"""One small phantom, a fit to two of its sites, and a run on it, for all tests here."""

import pytest
from tiny_run import SMALL, run


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def own_cache(cache, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


@pytest.fixture(scope="session")
def run_cached(cache):
    """As `run`, before the environment of any test is set."""

    def with_cache(*words):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(cache))
            return run(*words)

    return with_cache


@pytest.fixture(scope="session")
def phantom(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    run(
        *("phantom", root / "data", "--sites", "NYU,UM_1,KKI", "--jobs", 1),
        *("--subjects", 4, "--travelers", 3, "--voxel-scale", 4),
    )
    return root / "data"


@pytest.fixture(scope="session")
def fitted(phantom, run_cached):
    out = phantom.parent / "scanner.yaml"
    options = ("--data", phantom, "-o", out, "--jobs", 1)
    result = run_cached("fit-noise", "NYU", "UM_1", *options)
    assert "evidence: unpaired" in result.output
    return out


@pytest.fixture(scope="session")
def trained(phantom, fitted, run_cached):
    out = phantom.parent / "run"
    options = ("--data", phantom, "--held-out", "KKI", "-o", out)
    run_cached("train", "--noise", fitted, *options, *SMALL)
    return out


@pytest.fixture(scope="session")
def pages(fitted, trained, phantom, run_cached):
    """Reports of the fit, of it without its scans, of the run; and what was said."""
    bare = phantom.parent / "bare.html"
    told = run_cached("noise", "report", fitted, "-o", bare).output
    evaluated = run_cached(
        "evaluate", trained, "--data", phantom, "--jobs", 1, "--json"
    )
    return {
        "fit": (fitted.with_suffix(".html"), ""),
        "fit without scans": (bare, told),
        "evaluation": (trained / "report.html", evaluated.stdout),
    }
