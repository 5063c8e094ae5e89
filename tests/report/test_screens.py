"""Tables and pictures at the widths of a phone and of a desk: nothing to search for."""

import asyncio
from itertools import product

import numpy as np
import pytest
from browser import in_browser
from page_faults import cut_at, faults_of

from medvae.evaluation import Estimate, Evaluation
from medvae.evaluation.report import Picture, write_report
from medvae.evaluation.result import TravelerTransfer
from medvae.noise.report import write_fit_report
from noise_models.scanner import ScanEstimate, ScannerNoise
from noise_models.scanner.estimate import NAMES
from noise_models.scanner.record import Goodness, Record
from noise_models.scanner.sites import summarise_site
from noise_models.scanner.transfer import summarise_pair

SITES = ("STANFORD", "CALTECH")
STILL = (0.0, 0.0, 0.0)


def evaluated(tmp_path):
    """Two arms, seven columns of pictures, errors by site: as the demo has them."""
    travelers = [
        TravelerTransfer(f"T{k}", "test", "KKI", to, 0.4, 0.5, 0.2, STILL, STILL)
        for k, to in product(range(3), SITES)
    ]
    numbers = {"transfer": {"with_detail": Estimate(0.25, (0.201, 0.314), 3)}}
    runs = {
        arm: Evaluation(arm, ("KKI",), numbers, travelers=travelers)
        for arm in ("scanner", "randomised")
    }
    panels = {
        f"as STANFORD, detail kept ({k})": np.full((30, 36), 0.5) for k in range(7)
    }
    path = tmp_path / "report.html"
    rows = [Picture("T01 at KKI (unseen)", panels)]
    return write_report(path, title="t", evaluations=runs, pictures=rows)


def fitted(tmp_path):
    """Two sites of long names, judged and not judged."""
    rng = np.random.default_rng(0)
    sites = [
        summarise_site(
            label,
            [
                ScanEstimate(
                    tuple(0.1 * rng.standard_normal(len(NAMES))),
                    (1.0, 1.0, 1.0),
                    1.0,
                    "air",
                )
                for _ in range(4)
            ],
        )
        for label in SITES
    ]
    judged = Goodness(
        0.99, 0.62, 0.5, "no difference", (14, 13), auc_after_ci95=(0.5, 0.7)
    )
    keys = ("STANFORD->CALTECH", "CALTECH->STANFORD")
    nan = float("nan")
    record = Record(
        pairs={keys[0]: summarise_pair(*sites)},
        goodness={
            keys[0]: judged,
            keys[1]: Goodness(nan, nan, nan, "not enough evidence", (4, 4)),
        },
    )
    return write_fit_report(
        tmp_path / "fit.html", ScannerNoise(tuple(sites), record=record)
    )


@in_browser
@pytest.mark.parametrize("make", [evaluated, fitted])
def test_a_phone_shows_every_column_without_sideways_search(make, tmp_path):
    page = make(tmp_path)
    assert asyncio.run(faults_of(page, viewers=0)) == []
    assert asyncio.run(cut_at(page, 400)) == []


@in_browser
def test_a_desk_s_width_holds_the_goodness_of_a_fit(tmp_path):
    assert asyncio.run(cut_at(fitted(tmp_path), 1200)) == []
