"""Sentences about a fit, from numbers that are known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from noise_models.scanner import Pair, ScannerNoise, Site, show
from noise_models.scanner.contrasts import (
    PLACES_MM,
    blur_mm,
    noise_ratio,
    shading_ratios,
    shading_rms,
    site_field,
)
from noise_models.scanner.estimate import BIAS_NAMES, NAMES
from noise_models.scanner.record import Goodness
from noise_models.scanner.summary import (
    STILL_USED,
    describe_goodness,
    describe_limits,
    describe_pair,
)
from noise_models.scanner.transfer import summarise_pair


def logit(share):
    return math.log(share / (1 - share))


def site(label, half=0.05, **means):
    """A site of ten people; every interval is the mean +- ``half``."""
    known = {"log_sigma": math.log(0.02), "logit_gm_over_wm": logit(0.7), **means}
    mean = np.array([known.get(name, 0.0) for name in NAMES])
    return Site(
        label=label,
        mean=tuple(mean.tolist()),
        covariance=tuple(map(tuple, (0.01**2 * np.eye(len(NAMES))).tolist())),
        ci95=tuple((m - half, m + half) for m in mean.tolist()),
        scans=10,
        subjects=10,
        spacing_mm=(1.0, 1.0, 1.0),
        evidence=(10, 0, 0),
    )


def test_interpolation_to_the_first_site_s_voxels_is_counted_as_blur():
    coarse = replace(site("A"), spacing_mm=(1.3, 1.0, 1.0))
    x, y, _ = summarise_pair(coarse, site("B")).psf_add_fwhm_mm
    assert y < 0.3 < x


def test_noise_ratio_has_the_interval_of_both_sites():
    found = noise_ratio(site("A"), site("B", log_sigma=math.log(0.042)))
    assert found.value == pytest.approx(2.1)
    half = math.hypot(0.05, 0.05)
    assert found.low == pytest.approx(2.1 * math.exp(-half))
    assert found.high == pytest.approx(2.1 * math.exp(half))


def test_a_noisier_and_blurrier_site_is_said_to_be_so():
    b = site("B", log_sigma=math.log(0.042), psf_z_mm2=0.9**2 / (8 * math.log(2)))
    text = describe_pair(site("A"), b)
    assert text.startswith("Against A, B is noisier by 2.1 times (2.0 to 2.3) ")
    blurrier = "blurrier along z, as if by a kernel of 0.9 mm (0.6 to 1.1) FWHM"
    assert blurrier in text
    assert "sharpness along x or y" in text.split("No difference in ")[1]


def test_the_other_way_round_says_the_opposite():
    b = site("B", log_sigma=math.log(0.042), psf_z_mm2=0.15)
    text = describe_pair(b, site("A"))
    assert "Against B, A is less noisy by 2.1 times (2.0 to 2.3)" in text
    blurrier = "B is blurrier than A along z, as if by a kernel of 0.9 mm (0.7 to 1.1)"
    assert blurrier in text
    assert "sharper" not in text


def test_a_site_that_is_only_sharper_is_said_by_the_other_s_blur():
    text = describe_pair(site("A", psf_x_mm2=0.15, psf_y_mm2=0.3), site("B"))
    assert text.startswith(
        "A is blurrier than B along x, as if by a kernel of 0.9 mm ("
    )
    assert ") FWHM and along y by one of 1.3 mm (" in text


def test_contrast_is_given_for_both_sites():
    text = describe_pair(site("A"), site("B", logit_gm_over_wm=logit(0.78)))
    assert "grey/white contrast 0.78 (0.77 to 0.79) against 0.70 (0.69 to 0.71)" in text
    assert "CSF/grey contrast could be seen" in text


def test_shading_is_placed_where_it_differs_most():
    strong = site("B", bias_010=-0.15)  # the cosine falls towards the front
    ratios = shading_ratios(site("A"), strong)
    u = [PLACES_MM[place][1] / 240 + 0.5 for place in ("at the front", "at the back")]
    wanted = (
        -0.15 * math.sqrt(2) * (math.cos(math.pi * u[0]) - math.cos(math.pi * u[1]))
    )
    found = ratios["at the front"].value / ratios["at the back"].value
    assert math.log(found) == pytest.approx(wanted, abs=1e-6)
    text = describe_pair(site("A"), strong)
    assert "B is darker at the back by 16 % (" in text
    assert "shading of 15 % (10 to 20) RMS against 0 % (0 to 5)" in text


def test_the_field_of_a_site_is_the_sum_of_its_basis():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.1, len(BIAS_NAMES))
    one = site("A", **dict(zip(BIAS_NAMES, values.tolist(), strict=True)))
    places = rng.uniform(-60, 60, (5, 3)).round()
    u = places / 240 + 0.5
    for place, found in zip(
        u, site_field(one, places) - site_field(one, 0 * places[:1]), strict=True
    ):
        total = 0.0
        for name, value in zip(BIAS_NAMES, values, strict=True):
            terms = [
                math.sqrt(2) * math.cos(math.pi * int(k) * x) if int(k) else 1.0
                for k, x in zip(name[-3:], place, strict=True)
            ]
            middle = [
                math.sqrt(2) * math.cos(math.pi * int(k) / 2) if int(k) else 1.0
                for k in name[-3:]
            ]
            total += value * (math.prod(terms) - math.prod(middle))
        assert found == pytest.approx(total, abs=1e-6)


def test_the_strength_of_a_shading_has_the_interval_of_its_coefficients():
    found = shading_rms(site("A", bias_100=0.3, bias_001=0.4))
    assert found.value == pytest.approx(0.5)
    assert found.high - found.value == pytest.approx(0.05)


def test_what_could_not_be_seen_is_not_claimed():
    text = describe_pair(site("A"), site("B", half=0.8, log_sigma=math.log(0.042)))
    assert text == (
        "Between A and B no difference in noise, sharpness along x, y or z, shading, "
        "grey/white contrast or CSF/grey contrast could be seen."
    )


def test_a_site_without_noise_estimates_is_not_compared_by_noise():
    silent = replace(site("B", log_sigma=math.log(0.042)), evidence=(3, 2, 5))
    text = describe_pair(site("A"), silent)
    assert "noisier" not in text
    assert "noise (most scans carry no estimate)" in text


def test_one_person_allows_no_claim():
    endless = ((-math.inf, math.inf),) * len(NAMES)
    lone = replace(site("B", log_sigma=0.0, psf_x_mm2=9.0), ci95=endless, subjects=1)
    assert describe_pair(site("A"), lone).startswith("Between A and B no difference")


def test_blur_has_the_sign_of_the_difference():
    sharp, blurred = site("A"), site("B", psf_y_mm2=1.0)
    assert blur_mm(sharp, blurred, 1).value == pytest.approx(2.3548, abs=1e-3)
    assert blur_mm(blurred, sharp, 1).value == pytest.approx(-2.3548, abs=1e-3)


def test_a_small_difference_keeps_its_interval_off_none():
    text = describe_pair(site("A", 0.01), site("B", 0.01, log_sigma=math.log(0.0205)))
    assert "noisier by 1.02 times (1.01 to 1.04)" in text


def test_limits_name_only_what_is_clipped_often():
    pair = Pair(0.0, (0.0, 0.0, 0.0), 0.31, 0.3, (0.0, 0.04, 0.9))
    text = describe_limits("A->B", pair)
    assert "31 ask for less noise" in text
    assert "90 for a sharper image along z" in text
    assert "along y" not in text
    assert (
        describe_limits("A->B", replace(pair, clipped_noise=0, clipped_axes=(0,) * 3))
        is None
    )


def test_a_pair_that_was_not_tried_says_so():
    nothing = Goodness(*[math.nan] * 3, "not enough evidence", (3, 4))
    words = "A->B: not judged; it takes 8 scans a site, and there are 3 and 4 scans."
    assert describe_goodness("A->B", nothing) == words


def test_show_holds_the_summary_of_every_pair():
    noise = ScannerNoise((site("A"), site("B"), site("C")))
    summary = show(noise)["summary"]
    assert len(summary) == 4
    assert summary[3] == STILL_USED
    assert summary[1].startswith("Between A and C")


def test_equal_sites_are_seldom_said_to_be_shaded_differently():
    rng = np.random.default_rng(0)

    def drawn(label):
        scans = rng.normal(0, 0.05, (10, len(NAMES)))
        covariance = tuple(map(tuple, np.cov(scans.T).tolist()))
        return replace(
            site(label), mean=tuple(scans.mean(0).tolist()), covariance=covariance
        )

    claims = 0
    for _ in range(200):
        ratios = shading_ratios(drawn("A"), drawn("B"))
        claims += any(ratio.excludes(1) for ratio in ratios.values())
    assert claims <= 19  # 5 % of 200, and three SDs of that
