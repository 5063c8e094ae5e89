"""Fits of two sites without any scan behind them, and the command line to try them."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "adapters"))
from fitted_noise import fitted_noise

from medvae.cli.app import app
from noise_models.scanner import save_scanner
from noise_models.scanner.covariates import Covariate
from noise_models.scanner.estimate import NAMES
from noise_models.scanner.paired.evidence import PairedEvidence


def run(*words):
    return CliRunner().invoke(app, [str(w) for w in words], catch_exceptions=False)


@pytest.fixture
def fit(tmp_path):
    """A fitted file of sites A and B."""
    return save_scanner(fitted_noise(), tmp_path / "scanner.yaml")


def of_travelers():
    """The same fit, as if adjusted for age and checked by three travelers."""
    noise = fitted_noise()
    ends = ((-1.0, 1.0),) * len(NAMES)
    said = PairedEvidence(3, (0.5,) * len(NAMES), ends, {"raw": 20.0, "as B": 24.0})
    age = Covariate({"A": 24.0}, {"A": 5.0}, 0.0, 0.0, 1.0, 1.0, 1.0, 9, adjusted=True)
    sex = replace(age, adjusted=False, reason="not asked for")
    record = replace(
        noise.record, covariates={"age": age, "sex": sex}, paired={"A->B": said}
    )
    return replace(noise, record=record)
