"""What the fit makes of too little: no head, no air, no voxels, one person."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from simulated_head import STEP, Scanner, scan

from noise_models.scanner import ScannerNoise, estimate_scan, fit
from noise_models.scanner.adjustment import plan_adjustment
from noise_models.scanner.covariates import inflation
from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.features import scan_features
from noise_models.scanner.forward import on_native_grid
from noise_models.scanner.head import find_head, largest_component
from noise_models.scanner.likelihood import drift
from noise_models.scanner.noise_level import (
    AirTiles,
    FlatTissue,
    air_noise,
    quantisation_step,
    tissue_noise,
)
from noise_models.scanner.scans import read_scan
from noise_models.scanner.sites import fill_gaps, summarise_site
from noise_models.scanner.summary import STILL_USED, describe


def estimate(level=0.0, spacing_mm=(1.0, 1.0, 1.0), **more):
    values = tuple((level + more.pop("values", np.zeros(len(NAMES)))).tolist())
    return ScanEstimate(values, spacing_mm, 1.0, "air", **{"coils": 1.0, **more})


def test_a_volume_without_a_head_is_refused():
    assert not largest_component(np.zeros((3, 3, 3), bool)).any()
    specks = np.zeros((30, 30, 30))
    specks[3:7, 3:7, 3:7] = 100.0
    for volume in (np.ones(specks.shape), specks):
        with pytest.raises(ValueError, match="must show a head"):
            find_head(volume, STEP)


def test_a_head_too_small_for_a_brain_is_named():
    ball = np.linalg.norm(np.indices((30, 30, 30)) - 14.5, axis=0) < 6
    level = ball * 100 + np.random.default_rng(0).normal(0, 1, ball.shape)
    with pytest.raises(ValueError, match=r"ball\.nii: .* brain must fill 500 blocks"):
        estimate_scan(level, STEP, label="ball.nii")


def test_voxels_too_coarse_to_tell_sharpness_are_named():
    coarse = scan(0, Scanner())[::2, ::4, ::4]
    with pytest.raises(ValueError, match=r"a\.nii: voxels of 10 x 8 x 8 mm tell too"):
        estimate_scan(coarse, (10.0, 8.0, 8.0), label="a.nii")


def test_a_scan_without_any_noise_has_none_that_could_be_measured():
    clean = np.round(scan(3, Scanner(sigma=0.0, gain=40.0)))
    found = estimate_scan(clean, STEP)
    assert found.evidence == "none"
    assert np.isnan(found.values[NAMES.index("log_sigma")])
    assert found.gm_over_wm == pytest.approx(0.7, rel=0.05)


def test_without_air_there_is_no_noise_of_air():
    found = air_noise(AirTiles(np.zeros((0, 8, 8, 8)), np.zeros((0, 3), int)))
    assert np.isnan(found.sigma)
    assert not found.is_rayleigh


def test_air_full_of_ghosts_is_not_taken_for_noise():
    rng = np.random.default_rng(0)
    ghosts = rng.lognormal(0, 1.0, (400, 8, 8, 8))
    found = air_noise(AirTiles(ghosts, np.zeros((400, 3), int)))
    assert np.isnan(found.sigma)


def test_few_or_constant_details_tell_no_noise():
    def of(details):
        n = len(details)
        return tissue_noise(FlatTissue(np.full(n, 9.0), details, np.zeros((n, 3), int)))

    rng = np.random.default_rng(0)
    assert np.isnan(of(rng.normal(size=199)))
    assert of(rng.normal(size=5000)) == pytest.approx(1.0, rel=0.05)
    assert np.isnan(of(np.zeros(5000)))


def test_one_intensity_has_no_steps():
    assert quantisation_step(np.full((4, 4, 4), 7.0)) == 0.0


def test_features_of_a_scan_cut_at_the_head_are_finite():
    whole = scan(2, Scanner()) / 400
    where = np.argwhere(whole > 0.5)
    low, high = where.min(0) + 25, where.max(0) - 25
    cut = whole[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    assert np.isfinite(scan_features(cut, STEP)).all()


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.nii: no such file"):
        read_scan(tmp_path / "gone.nii")


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        (lambda: fit({"a": ["x", "y"]}), r"at least 2 sites are needed, got \['a'\]"),
        (
            lambda: fit({"a": ["x", "y"], "b": ["z", "w"]}, subjects={"a": ["1"]}),
            "site a: subjects must name each of the 2 scans, got 1 names",
        ),
        (
            lambda: fit({"a": ["x", "y"], "b": ["z", "w"]}, evidence="pared"),
            "evidence must be one of .*, got 'pared'",
        ),
        (
            lambda: summarise_site("a", [estimate()]),
            "site a: at least 2 scans are needed, got 1",
        ),
        (
            lambda: summarise_site("a", [estimate()] * 2, subjects=["1"]),
            "site a: subjects must name each of the 2 scans, got 1 names",
        ),
        (
            lambda: fill_gaps(np.full((3, len(NAMES)), np.nan), "a"),
            "site a: no scan gives log_sigma",
        ),
        (
            lambda: drift(summarise_site("a", [estimate()] * 3), []),
            "at least 1 scan, got none",
        ),
    ],
)
def test_too_little_is_refused_by_name(asked, match):
    with pytest.raises(ValueError, match=match):
        asked()


def test_one_person_leaves_everything_possible():
    rng = np.random.default_rng(0)
    scans = [estimate(values=rng.normal(size=len(NAMES))) for _ in range(3)]
    alone = summarise_site("a", scans, subjects=["T1"] * 3)
    assert np.isinf(alone.ci95).all()
    assert np.isfinite(summarise_site("a", scans).ci95).all()


def test_a_covariate_that_few_know_or_that_is_constant_has_no_inflation():
    site = np.array([0, 0, 1, 1])
    few = np.array([[30.0], [np.nan], [np.nan], [40.0]])
    assert np.isnan(inflation(0, few, site))
    assert np.isnan(inflation(0, np.full((4, 1), 30.0), site))


PEOPLE = {site: [f"{site}{k}" for k in range(24)] for site in "AB"}
YEARS = [20.0 + k for k in range(24)]


@pytest.mark.parametrize(
    ("of_a", "of_b", "reason"),
    [
        (YEARS, [float("nan")] * 24, "unknown for a whole site"),
        ([30.0] * 24, [30.0] * 24, "the same for everyone"),
    ],
)
def test_a_covariate_that_cannot_be_used_says_why(of_a, of_b, reason):
    plan = plan_adjustment({"A": {"age": of_a}, "B": {"age": of_b}}, PEOPLE)
    assert plan.names == ()
    assert plan.covariates["age"].reason == reason


def test_sites_with_other_covariates_are_named():
    with pytest.raises(ValueError, match=r"site B: covariates must be .* got none"):
        plan_adjustment({"A": {"age": YEARS}}, PEOPLE)


def test_slopes_that_features_have_none_of_widen_parameters_alone():
    rng = np.random.default_rng(0)
    found = {
        s: [estimate(values=rng.normal(size=len(NAMES))) for _ in PEOPLE[s]]
        for s in "AB"
    }
    ages = {"A": {"age": YEARS}, "B": {"age": [year + 9 for year in YEARS]}}
    plan = plan_adjustment(ages, PEOPLE)
    _, slopes = plan.estimates(found)
    parameters, features = plan.unsure(("A", "B"), slopes, None)
    assert parameters.max() > 0
    assert not features.any()
    assert plan.unsure(("A", "B"), None, None) is None


def sites_apart():
    """Two sites that differ in every parameter, without any doubt."""
    apart = (estimate(level) for level in (0.0, 1.0))
    return tuple(
        summarise_site(label, [one] * 4) for label, one in zip("AB", apart, strict=True)
    )


def test_where_every_difference_is_seen_none_is_called_unseen():
    told = describe(ScannerNoise(sites_apart(), target="B"))
    assert not any("could be seen" in text for text in told)
    assert STILL_USED not in told
    alike = (sites_apart()[0], replace(sites_apart()[0], label="B"))
    assert STILL_USED in describe(ScannerNoise(alike, target="B"))


def test_a_batch_on_several_native_grids_is_corrupted_as_its_volumes_alone():
    sigma = np.zeros(len(NAMES))
    sigma[0] = np.log(0.05)
    louder = sigma.copy()
    louder[0] = np.log(0.2)
    noise = ScannerNoise(
        (
            summarise_site("A", [estimate(values=sigma)] * 3),
            summarise_site("C", [estimate(values=sigma, spacing_mm=(2.0,) * 3)] * 3),
            summarise_site("B", [estimate(values=louder)] * 3),
        ),
        target="B",
    )
    x = torch.zeros(2, 1, 32, 32, 32)  # air, where the two ways to add noise differ
    drawn = noise.draw(2, torch.Generator().manual_seed(0), source=["A", "C"])
    assert on_native_grid(drawn, (1.0, 1.0, 1.0)).tolist() == [True, False]

    def corrupted(x, source):
        rng = torch.Generator().manual_seed(0)
        return noise(x, rng=rng, source=source, spacing_mm=(1.0, 1.0, 1.0))

    together = corrupted(x, ["A", "C"])
    alone = [corrupted(x[:1], [site])[0] for site in "AC"]
    for both, one in zip(together, alone, strict=True):
        assert both.std().item() == pytest.approx(one.std().item(), rel=0.02)


def test_what_is_no_source_is_refused():
    noise = ScannerNoise(sites_apart(), target="B")
    rng = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="must name each of 2 volumes, got 1"):
        noise.draw(2, rng, source=["A"])
    with pytest.raises(ValueError, match="site label or a ScanEstimate, got int"):
        noise.draw(1, rng, source=[3])
