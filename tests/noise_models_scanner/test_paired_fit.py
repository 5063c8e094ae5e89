"""The same people at two simulated sites: pairs know what pooled scans cannot."""

import numpy as np
import pytest
from moved_head import gaussian_variance_mm2, moved_scan
from simulated_head import SHARP, STEP, WORSE, log_shading

from noise_models.scanner import (
    estimate_cached,
    fit,
    load_scanner,
    save_scanner,
    show,
)
from noise_models.scanner.calibration import NO_CALIBRATION
from noise_models.scanner.common_grid import specimen
from noise_models.scanner.estimate import BIAS_NAMES, NAMES, PSF_NAMES, estimate_scan
from noise_models.scanner.paired.comparison import compare
from noise_models.scanner.paired.fitting import Travelers
from noise_models.scanner.paired.residual import residual
from noise_models.scanner.tissue import basis_rows

pytestmark = pytest.mark.slow

PEOPLE = ("T1", "T2", "T3", "T4")
BIAS = [NAMES.index(name) for name in BIAS_NAMES]
PSF = [NAMES.index(name) for name in PSF_NAMES]
GM, CSF = NAMES.index("logit_gm_over_wm"), NAMES.index("logit_csf_over_gm")


@pytest.fixture(scope="module")
def scans():
    rng = np.random.default_rng(5)

    def seen(scanner, seed):
        return [
            (
                moved_scan(
                    k, scanner, seed + k, 3 * rng.normal(size=3), rng.normal(size=3)
                ),
                STEP,
            )
            for k in range(len(PEOPLE))
        ]

    return {"sharp": seen(SHARP, 10), "worse": seen(WORSE, 50)}


@pytest.fixture(scope="module")
def who():
    return {"sharp": PEOPLE, "worse": PEOPLE}


@pytest.fixture(scope="module")
def paired(scans, who):
    return fit(
        scans, subjects=who, evidence="paired", goodness=False, calibration=False
    )


@pytest.fixture(scope="module")
def pooled(scans, who):
    return fit(scans, subjects=who, goodness=False, calibration=False)


@pytest.fixture(scope="module")
def compared(scans):
    """Two of the people, laid over each other."""
    a, b = scans["sharp"], scans["worse"]
    seen = [
        compare(a[k], b[k], estimate_scan(*a[k]), estimate_scan(*b[k]), PEOPLE[k])
        for k in range(2)
    ]
    return Travelers({("sharp", "worse"): seen})


def step(fitted, index):
    first, second = (np.array(site.mean) for site in fitted.sites)
    return (second - first)[index]


def test_evidence_and_travelers_are_on_record(paired):
    assert paired.record.evidence == "paired"
    assert paired.record.paired["sharp->worse"].people == len(PEOPLE)


def test_bias_ratio_is_nearer_to_the_truth_than_without_pairs(paired, pooled):
    shape = np.array((92, 110, 100))
    places = np.argwhere(np.ones(shape, bool))[::37]
    x, y, z = ((places - (shape - 1) / 2) * STEP[0]).T
    brain = (x / 66) ** 2 + (y / 84) ** 2 + ((z - 14) / 64) ** 2 < 1
    truth = (log_shading(WORSE, (x, y, z)) - log_shading(SHARP, (x, y, z)))[brain]
    rows = basis_rows(places[brain], STEP, ((shape - 1) / 2).tolist(), shape)
    errors = []
    for fitted in (paired, pooled):
        field = rows @ step(fitted, BIAS)
        errors.append(np.std(field - truth))
    assert errors[0] < 0.015
    assert errors[0] < 0.8 * errors[1]


def test_contrast_is_nearer_to_the_truth_than_without_pairs(paired, pooled):
    def logit(share):
        return np.log(share / (1 - share))

    gm = logit(WORSE.gm) - logit(SHARP.gm)
    assert step(paired, GM) == pytest.approx(gm, abs=0.05)
    assert abs(step(paired, GM) - gm) < 0.5 * abs(step(pooled, GM) - gm)
    csf = logit(WORSE.csf / WORSE.gm) - logit(SHARP.csf / SHARP.gm)
    assert step(paired, CSF) == pytest.approx(csf, abs=0.08)


def test_sharpness_is_nearer_to_the_truth_than_without_pairs(paired, pooled):
    truth = np.array([gaussian_variance_mm2(blur) for blur in WORSE.blur_mm])
    near, far = (np.abs(step(fitted, PSF) - truth) for fitted in (paired, pooled))
    assert near.max() < 0.3
    assert near.sum() < 0.8 * far.sum()


def test_difference_is_surer_than_the_means_it_lies_between(paired):
    low, high = np.array(paired.record.paired["sharp->worse"].ci95).T
    pairs = [*PSF, GM, *BIAS]
    own = [np.diff(np.array(site.ci95))[pairs, 0] / 2 for site in paired.sites]
    assert np.median((high - low)[pairs] / 2 / np.hypot(*own)) < 0.8


def test_noise_is_that_of_the_scans_themselves(paired, pooled):
    assert step(paired, 0) == step(pooled, 0)


def test_corrupted_scan_is_nearer_to_the_same_person_than_matched_histograms(
    scans, compared, paired
):
    estimates = {
        site: [estimate_cached(scan, f"{site}{k}", site) for k, scan in enumerate(part)]
        for site, part in scans.items()
    }
    shown = {
        site: [
            specimen(scan, estimate, who)
            for scan, estimate, who in zip(
                part[:2], estimates[site], PEOPLE, strict=False
            )
        ]
        for site, part in scans.items()
    }
    pair, alone = ("sharp", "worse"), dict.fromkeys(PEOPLE, NO_CALIBRATION)
    (couple, noise, others), _ = compared.trials(
        pair, shown, estimates, paired.sites, paired.record.pairs, alone
    )
    assert [one.subject for one in others] == ["T2"]
    psnr, spectrum = residual(couple, noise, others)
    assert psnr["expected"] > psnr["corrupted"] > psnr["histogram"] > psnr["nothing"]
    assert spectrum["corrupted"] < min(spectrum["histogram"], spectrum["nothing"])


def test_paired_numbers_survive_the_file(paired, tmp_path):
    path = save_scanner(paired, tmp_path / "scanner.yaml")
    assert show(load_scanner(path))["paired"] == show(paired)["paired"]


def test_a_wrong_label_is_left_out_and_named(scans, compared):
    stranger = moved_scan(60, WORSE, 70)
    one = scans["sharp"][0]
    estimates = estimate_scan(*one), estimate_scan(stranger, STEP)
    found = compare(one, (stranger, STEP), *estimates, "T9")
    seen = Travelers(
        {("sharp", "worse"): [*compared.compared["sharp", "worse"], found]}
    )
    said = seen.warnings(["sharp", "worse"])
    assert any("T9 at sharp and worse left out" in sentence for sentence in said)
    assert any("share 2 usable travelers" in sentence for sentence in said)
