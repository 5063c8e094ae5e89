"""Sites that only a fit sees are in no training and in no question."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import yaml
from tiny_study import no_bar

from medvae.cohort import Cohort, Scan
from medvae.comparison import stage as comparison_stage
from medvae.comparison.plan import load_plan
from medvae.comparison.run import check_comparable, set_apart
from medvae.comparison.stage import Stage
from medvae.comparison.unit import Unit
from medvae.errors import UserError

ARMS = (
    {"name": "scanner", "noise": "scanner"},
    {"name": "many", "noise": "scanner", "regime": "many"},
)


@pytest.fixture
def whole(tmp_path):
    """Twelve people at each of four sites, and a traveler who was at all of them."""
    scans = []
    for site in ("KKI", "NYU", "OHSU", "PITT"):
        for who in ("T1", *(f"{site}{k:02d}" for k in range(12))):
            path = tmp_path / f"{who}_{site}.nii.gz"
            path.write_text(f"{who} at {site}")
            scans.append(Scan(path, who, site))
    return Cohort(tmp_path, "table", tuple(scans))


def plan_of(tmp_path, **content):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump({"held_out": ["PITT"], "arms": [*ARMS]} | content))
    return load_plan(path)


@pytest.fixture
def stage(whole, tmp_path):
    plan = plan_of(tmp_path, fit_only=["OHSU"])
    cohort, apart = set_apart(whole, plan.fit_only)
    grid = SimpleNamespace(shape=(8, 8, 8), spacing_mm=(8.0, 8.0, 8.0))
    store = SimpleNamespace(grid=grid)
    return Stage(plan, cohort, store, 0, tmp_path, tmp_path, 1, no_bar, apart)


def test_the_fit_of_more_sites_sees_them_and_no_other_fit_does(stage, monkeypatch):
    seen = {}

    def fit_sites(scans, path, **_):
        seen[path.stem] = scans

    monkeypatch.setattr(comparison_stage, "fit_sites", fit_sites)
    for regime in ("unseen", "fitted", "many"):
        stage.fitted_file(regime)
    assert {name: found.sites for name, found in seen.items()} == {
        "scanner-unseen": ("KKI", "NYU"),
        "scanner-fitted": ("KKI", "NYU", "PITT"),
        "scanner-many": ("KKI", "NYU", "OHSU"),
    }
    assert len(seen["scanner-many"].at("OHSU")) == 12
    assert not any("T1" in found.subjects for found in seen.values())


def test_nothing_is_learned_or_asked_of_them(stage):
    assert stage.cohort.sites == ("KKI", "NYU", "PITT")
    assert stage.sites == ("KKI", "NYU")
    assert {scan.site for scan in stage.learned().values()} == {"KKI", "NYU"}


def test_what_depends_on_them_is_made_anew_with_other_scans(stage):
    other = replace(stage, fit_only=stage.fit_only[1:])
    assert stage.mark() != other.mark()
    scanner, many = stage.plan.arms
    assert Unit(scanner, stage).digest() == Unit(scanner, other).digest()
    assert Unit(many, stage).digest() != Unit(many, other).digest()


def test_sites_that_only_other_data_have_matter_to_the_regime_alone(whole, tmp_path):
    plan = plan_of(tmp_path, fit_only=["OLIN"], arms=[ARMS[0]])
    check_comparable(plan, whole)
    assert set_apart(whole, plan.fit_only) == (whole, ())


def test_a_site_of_the_fit_alone_is_none_to_train_on(whole, tmp_path):
    plan = plan_of(tmp_path, fit_only=["KKI", "NYU", "OHSU"])
    with pytest.raises(UserError, match="leaves no site to train on"):
        check_comparable(plan, whole)


@pytest.mark.parametrize(
    ("fit_only", "says"),
    [
        ([], "many: the regime many fits the noise scanner on more sites"),
        (["PITT"], "PITT is held out and in fit_only"),
        (["OSHU"], "fit_only: no scan of site 'OSHU'. Did you mean 'OHSU'?"),
    ],
)
def test_a_fit_of_more_sites_needs_sites_of_its_own(whole, tmp_path, fit_only, says):
    with pytest.raises(UserError, match=re.escape(says)):
        check_comparable(plan_of(tmp_path, fit_only=fit_only), whole)
