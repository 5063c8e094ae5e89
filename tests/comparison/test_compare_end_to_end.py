"""A whole comparison, small: interrupted, resumed, and blind to the held-out site."""

import asyncio
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tiny_study import ARMS, TRAIN, compare, no_bar, tiny_plan

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from browser import in_browser
from page_faults import faults_of

from medvae.cli.app import app
from medvae.cohort import read_cohort
from medvae.comparison import run as comparison_run
from medvae.comparison import stage as comparison_stage
from medvae.comparison import unit as comparison_unit
from medvae.comparison.plan import Plan
from medvae.comparison.run import Compared, open_data
from medvae.comparison.stage import Stage, open_store
from medvae.comparison.unit import Unit
from medvae.errors import UserError
from medvae.files import digest
from medvae.version import software

CHOICES = [{"objective.beta": 1.0}, {"objective.beta": 0.3}]
UNFITTED = (
    {"name": "none", "noise": "none", "choices": CHOICES},
    {"name": "oracle", "noise": "oracle"},
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The phantom and a cache that all tests of this module share."""
    root = tmp_path_factory.mktemp("study")
    cohort = open_data(tiny_plan(), None, root, 1, no_bar)
    return root, cohort, root / "cache"


@dataclass
class GoneOn:
    """A comparison that was stopped after its first arm, and ended by a second call."""

    plan: Plan
    out: Path
    result: Compared
    told: list[str]
    weights: Path
    written: int


@pytest.fixture(scope="module")
def gone_on(world, tmp_path_factory):
    _, cohort, cache = world
    plan = tiny_plan([*UNFITTED, {"name": "pca", "baseline": "pca"}])
    out, told = tmp_path_factory.mktemp("stopped") / "out", []

    def stop(text):
        told.append(text)
        if text.startswith("[1/3]"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(plan, out, cohort=cohort, cache=cache, say=stop)
    assert not (out / "compare.json").exists()
    weights = out / "arms" / "none" / "seed-0" / "0" / "run" / "model.safetensors"
    written = weights.stat().st_mtime_ns
    told.clear()
    result = compare(plan, out, cohort=cohort, cache=cache, say=told.append)
    return GoneOn(plan, out, result, told, weights, written)


@pytest.mark.slow
def test_stopped_between_arms_it_goes_on_where_it_was(world, gone_on, monkeypatch):
    _, cohort, cache = world
    plan, out, told = gone_on.plan, gone_on.out, gone_on.told
    first = gone_on.result.content
    assert told[0] == "1 of 3 runs are finished already."
    made = first["provenance"]
    assert made["software"] == software()
    assert made["scans"] == len(cohort)
    assert made["model_digests"]["none"]["0"] in {
        digest(run) for run in gone_on.weights.parents[2].rglob("model.safetensors")
    }
    assert made["model_digests"]["pca"] == {"0": None}
    assert [line[:5] for line in told[1:]] == ["[2/3]", "[3/3]"]
    assert gone_on.weights.stat().st_mtime_ns == gone_on.written
    monkeypatch.setattr(comparison_unit, "train", None)  # any training would fail
    again = compare(plan, out, cohort=cohort, cache=cache).content
    assert again == first
    with pytest.raises(UserError, match="finished with other settings"):
        compare(
            plan.model_copy(update={"permutations": 6}),
            out,
            cohort=cohort,
            cache=cache,
        )


@pytest.mark.slow
@in_browser
def test_its_report_can_be_read_by_all_on_a_phone(gone_on):
    page = gone_on.result.report
    assert "<option>as NYU (oracle)</option>" in page.read_text()
    assert asyncio.run(faults_of(page)) == []


def test_what_was_begun_is_gone_on_with_by_the_same_comparison_alone(
    world, tmp_path, monkeypatch
):
    _, cohort, cache = world
    plan = tiny_plan(UNFITTED[:1])

    def killed(unit):
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison_run, "run_unit", killed)
    with pytest.raises(KeyboardInterrupt):
        compare(plan, tmp_path, cohort=cohort, cache=cache)
    longer = TRAIN | {"optimiser": {"epochs": 3}}
    for change in ({"held_out": ("NYU",)}, {"train": longer}):
        other = plan.model_copy(update=change)
        with pytest.raises(UserError, match="none/seed-0: begun with other settings"):
            compare(other, tmp_path, cohort=cohort, cache=cache)
    # The fit of an arm that has not begun may have seen the site, too.
    other = tiny_plan([{"name": "second"}], held_out=["NYU"])
    with pytest.raises(UserError, match="noise/seed-0: begun with other settings"):
        compare(other, tmp_path, cohort=cohort, cache=cache)
    more = tiny_plan([*UNFITTED[:1], {"name": "second"}])
    with pytest.raises(KeyboardInterrupt):  # an arm more is no other comparison
        compare(more, tmp_path, cohort=cohort, cache=cache)


def test_an_arm_of_an_edited_preset_is_another_arm(world, tmp_path):
    _, cohort, cache = world
    preset = tmp_path / "mine.yaml"
    plan = tiny_plan([{"name": "mine", "noise": str(preset)}])
    store = open_store(plan, cohort, cache, 1, no_bar)
    stage = Stage(plan, cohort, store, 0, tmp_path, cache, 1, no_bar)
    marks = []
    for sigma in (0.1, 0.2, 0.1):
        preset.write_text(f"model: rician\nsigma: [0.01, {sigma}]\n")
        marks.append(Unit(plan.arms[0], stage).digest())
    assert marks[0] == marks[2] != marks[1]


def poisoned(cohort, root, held_out):
    """The same cohort, the held-out site's voxels replaced by noise."""
    folder = root / "poisoned"
    shutil.copytree(cohort.root, folder)
    rng = np.random.default_rng(0)
    for scan in read_cohort(folder).scans:
        if scan.site == held_out:
            old = nib.load(scan.path)
            data = rng.integers(0, 900, old.shape).astype(np.int16)
            data[2:-2, 2:-2, 2:-2] += 400  # a foreground, of sorts
            nib.save(nib.Nifti1Image(data, old.affine, old.header), scan.path)
    return read_cohort(folder)


@pytest.mark.study
def test_garbage_at_the_held_out_site_changes_no_training_and_no_choice(
    world, tmp_path
):
    _, cohort, cache = world
    plan = tiny_plan(UNFITTED[:1])
    other = poisoned(cohort, tmp_path, "STANFORD")
    results = [
        compare(plan, tmp_path / name, cohort=scans, cache=cache).content
        for name, scans in (("honest", cohort), ("garbage", other))
    ]
    chosen = [r["settings"]["none"]["chosen"] for r in results]
    validation = [r["settings"]["none"]["validation"] for r in results]
    assert chosen[0] == chosen[1]
    assert validation[0] == validation[1]
    for choice in "01":
        first, second = (
            tmp_path / name / "arms/none/seed-0" / choice / "run/model.safetensors"
            for name in ("honest", "garbage")
        )
        assert first.read_bytes() == second.read_bytes()
    key = "reconstruction.psnr_held_out"  # but the site was there, and was read
    assert results[0]["arms"]["none"][key] != results[1]["arms"]["none"][key]


def test_the_fit_sees_the_held_out_site_in_one_regime_alone(
    world, tmp_path, monkeypatch
):
    _, cohort, cache = world
    plan = tiny_plan()
    store = open_store(plan, cohort, cache, 1, no_bar)
    stage = Stage(plan, cohort, store, 0, tmp_path, cache, 1, no_bar)
    seen = {}
    monkeypatch.setattr(
        comparison_stage,
        "fit_sites",
        lambda scans, path, **_: seen.setdefault(path.stem, scans),
    )
    for regime in ("unseen", "fitted"):
        stage.fitted_file(regime)
    assert seen["scanner-unseen"].sites == ("NYU", "UM_1")
    assert seen["scanner-fitted"].sites == ("NYU", "STANFORD", "UM_1")
    everyone = {s.subject for scans in seen.values() for s in scans.scans}
    assert not everyone & set(cohort.travelers())
    learned = {s.subject for s in seen["scanner-unseen"].scans}
    assert {stage.splits[who] for who in learned} == {"train", "validation"}


@pytest.mark.study
def test_all_arms_on_the_command_line_s_way(world, tmp_path):
    _, cohort, cache = world
    more = (
        {"name": "fitted", "noise": "scanner", "regime": "fitted"},
        {"name": "combat", "baseline": "combat"},
        {"name": "nyul", "baseline": "nyul"},
        {"name": "oracle_wide", "noise": "oracle_wide"},
        {"name": "along", "baseline": "axes", "of": "scanner", "noise": "scanner"},
        {"name": "true", "baseline": "axes", "of": "scanner", "noise": "oracle"},
    )
    plan = tiny_plan([*ARMS, *more])
    result = compare(plan, tmp_path, cohort=cohort, cache=cache)
    content = json.loads(result.result.read_text())
    assert set(content["arms"]) == {arm.name for arm in plan.arms}
    energy = {a: f["energy"]["0"] for a, f in content["settings"].items()}
    assert energy["gaussian"] == pytest.approx(energy["scanner"], rel=0.02)
    assert energy["none"] == 0
    assert energy["oracle"] > 0
    assert energy["oracle_wide"] > 0
    kept = {
        name: numbers["collapse.dimensions"]["mean"]
        for name, numbers in content["arms"].items()
    }
    assert kept["along"] == kept["true"] == 10 < kept["scanner"]
    gap = content["gap_closed"]
    assert set(gap) >= {"mean", "ci95", "metric"}
    assert set(gap["each"]) == {
        "held_out_reconstruction",
        "traveler_harmonisation",
        "leakage_at_equal_biology",
        "traveler_decoding",
    }
    numbers = content["arms"]["scanner"]["transfer.error"]
    assert numbers["ci95"][0] < numbers["mean"] < numbers["ci95"][1]
    page = result.report.read_text()
    assert "STANFORD (unseen)" in page
    assert "as NYU (scanner)" in page
    columns, rows = comparison_run.table_of(content)
    assert [row[0] for row in rows] == [arm.name for arm in plan.arms]
    assert "decoded error" in columns


def run(*words):
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_dry_run_says_what_it_would_do_and_does_nothing(world, tmp_path):
    _, cohort, _ = world
    result = run(
        *("compare", "--noise", "none,scanner", "--held-out", cohort.scans[0].site),
        *("--data", cohort.root, "--seeds", 2),
        *("-o", tmp_path / "out", "--dry-run"),
    )
    assert "would run 4 settings of none, scanner, 2 seed(s)" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dry", [["--dry-run"], []], ids=["dry run", "run"])
@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--noise", "oracle", "--held-out", "A"], "only a phantom knows its true"),
        (["--noise", "none"], "Name one with --held-out; known: A, B"),
        (["--noise", "none", "--held-out", "C"], "no such site; known: A, B"),
    ],
)
def test_a_dry_run_refuses_what_the_command_does(tmp_path, words, match, dry):
    rng = np.random.default_rng(0)
    for site in "AB":
        path = tmp_path / "data" / site / f"{site}1.nii"
        path.parent.mkdir(parents=True)
        voxels = rng.random((20, 22, 24), dtype=np.float32)
        nib.save(nib.Nifti1Image(voxels, np.diag([8.0, 8.0, 8.0, 1.0])), path)
    words = ["compare", "--data", tmp_path / "data", *words, *dry]
    with pytest.raises(UserError, match=match):
        run(*words, "-o", tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--noise", "none", "--held-out", "X"], "no data: name it with --data"),
        (["--noise", "noen"], "no arm named 'noen'"),
        (["--noise", ","], "must name arms"),
    ],
)
def test_what_cannot_be_compared_is_one_clear_line(tmp_path, words, match):
    with pytest.raises(UserError, match=match):
        run("compare", "-o", tmp_path / "out", *words)


def test_a_site_must_be_held_out_and_must_exist(world, tmp_path):
    _, cohort, cache = world
    for held_out, match in (([], "Name one with --held-out"), (["X"], "no such site")):
        plan = tiny_plan(held_out=held_out)
        with pytest.raises(UserError, match=match):
            compare(plan, tmp_path, cohort=cohort, cache=cache)
