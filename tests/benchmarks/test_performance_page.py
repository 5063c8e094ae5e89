"""docs/performance.md is what the results files say, and misses are not hidden."""

import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from measured.answer import answer_sections
from measured.arms_figure import FAMILIES, draw_arms
from measured.axes import axes_section
from measured.generalisation import generalisation_page, verdict
from measured.page import page
from measured.profile import OTHER, Stopwatch, clocked, table
from measured.ratios import interleaved, ratio, spread
from measured.row import Row
from measured.scale import scale_page

ROOT = Path(__file__).parents[2]

PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
RESULTS = {
    path.stem: json.loads(path.read_text())
    for path in (ROOT / "benchmarks" / "results").glob("*.json")
}
FOUR_EFFECTS = sum(  # ms
    stage["ms"]
    for stage in RESULTS["corruption-128"]["profile"]["stages"]["four effects"].values()
)


def test_the_page_is_written_from_the_results():
    assert page(RESULTS) == PAGE


def test_the_model_of_cost_is_written_from_the_results():
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    assert scale_page(RESULTS) == text


def changed(name, *keys, to):
    """The results, one number of one file another."""
    found = json.loads(json.dumps(RESULTS))
    place = found[name]
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    return found


def test_hours_follow_from_what_a_scan_costs():
    dear = json.loads(json.dumps(RESULTS))
    for value in dear["stages"]["seconds"].values():
        value["median"] = 3600.0
    # Of one scan: four stages once, and two in each of 100 epochs; 50 scans a core.
    text = scale_page(dear)
    assert "laptop, 2 cores: check, prepare, fit-noise, encode | 8.3 days" in text
    assert "laptop, 2 cores: 100 epochs without a GPU | 1.1 years" in text
    assert "It is 98 % of the time, for any number of scans" in text


def test_memory_follows_from_two_numbers_of_scans():
    many = {"few": {"scans": 100, "peak_mib": 100}, "scans": 1100}
    many["continued"] = {"peak_mib": 200}  # a tenth of a MiB a scan
    found = {**RESULTS, "encoding_many": many}
    found["encoding"] = {**RESULTS["encoding"], "memory": {"at_the_end_mib": 14}}
    row = "encoding_many.json) | 24 MiB | 1014 MiB | 97.7 GiB |"
    assert row in scale_page(found)
    heavy = changed("stages", "peak_mib", "check", "median", to=1024 * 9)
    heavy["stages"]["held_mib"] = 512
    assert "memory: check | 9.5 GiB | 9.5 GiB | 9.5 GiB |" in scale_page(heavy)


@pytest.mark.parametrize(
    ("keys", "to", "said"),
    [
        (("stages", "machine", "processor"), "Zilog Z80", "cores of Zilog Z80)"),
        (
            ("corruption-128", "profile", "stages", "the floor"),
            {"all": {"ms": 1.0, "share": 1.0}},
            f"take {FOUR_EFFECTS:.2f} of it on one thread",
        ),
        (
            ("training", "networks", "found", "torch.compile", "warm_up_seconds"),
            {"median": 77.7},
            "77.7 s for its first three steps",
        ),
        (
            (
                *("training", "profile", "stages", "rician, augmented: one step"),
                *("augmentation", "ms"),
            ),
            77.7,
            "it is 77.7 ms",
        ),
    ],
)
def test_sentences_say_what_the_results_say(keys, to, said):
    text = " ".join(scale_page(changed(*keys, to=to)).split())
    assert said in text


def test_a_changed_result_changes_the_page():
    found = changed("startup", "ratio", "median", to=7.77)
    assert "7.77" in page(found)
    assert "**no**" in page({"startup": found["startup"]})


@pytest.mark.parametrize(
    ("limit", "median", "met"), [(10, 9.9, False), (10, 10, True), (-2, 2.1, False)]
)
def test_a_target_is_met_or_it_is_not(limit, median, met):
    row = Row("x", limit, {"median": median, "quartiles": [1, 2], "n": 3})
    assert row.is_met == met
    assert ("**no**" in row.line()) != met


def test_what_was_measured_once_has_no_spread():
    once, more = {"median": 3429.5, "n": 1}, {"median": 2, "quartiles": [1, 3], "n": 3}
    assert "| 3,430 MiB | 1 |" in Row("x", 0, once, " MiB").line()
    assert "| 2 (1 to 3) | 3 |" in Row("x", 0, more).line()


def test_the_page_says_what_an_estimate_costs_over_the_floor():
    keys = ("fit", "parts", "speed", "one scan", "ratio", "median")
    line = next(
        line
        for line in page(changed(*keys, to=6.5)).splitlines()
        if "over one read and one Fourier transform" in line
    )
    assert "≤ 6 | 6.5 (" in line
    assert line.endswith("| 7 | **no** |")


def test_work_is_timed_in_turn_and_neighbours_are_compared():
    order, ticks = [], iter(range(1000))
    seconds = interleaved(
        {"a": lambda: order.append("a"), "b": lambda: order.append("b")},
        2,
        clock=lambda: next(ticks),
    )
    assert order == ["a", "b"] * 3  # the first pair is a warm-up
    assert seconds == {"a": [1, 1], "b": [1, 1]}
    assert ratio([2, 4, 9], [1, 2, 3])["median"] == 2
    assert spread([3, 1, 2]) == {"median": 2, "quartiles": [1.5, 2.5], "n": 3}


def test_every_stage_has_its_own_time_and_not_that_of_what_it_calls():
    ticks = iter([0, 0, 1, 3, 6, 10, 10])
    watch = Stopwatch(lambda: next(ticks))
    stages = {"dumps": ["json.dumps"], "encoding": ["json.encoder.JSONEncoder.encode"]}
    with clocked(stages, watch):
        watch.lap()
        json.dumps([1])
        found = watch.lap()
    assert found == {OTHER: 1, "dumps": 2 + 4, "encoding": 3}
    rows = table([found], stages)
    assert rows["dumps"] == {"ms": 6000, "share": 0.6}


def test_a_profile_is_shown_below_what_it_explains():
    made = json.loads(json.dumps(RESULTS["corruption-128"]))
    rows = {"contrast": {"ms": 1.0, "share": 0.25}, "PSF": {"ms": 3.0, "share": 0.75}}
    stages = {"four effects": rows, "the floor": {"copy": {"ms": 2.0, "share": 1.0}}}
    made["profile"] = {"command": "x --profile", "stages": stages}
    text = page({"corruption-128": made})
    assert "each by itself on one thread (profile below) | - | 2 | 9 |" in text
    assert "| PSF | 3 | 75 % |\n| together | 4 | |" in text


def test_the_page_on_unseen_hospitals_is_written_from_the_comparison():
    text = (ROOT / "docs" / "generalisation.md").read_text(encoding="utf-8")
    assert generalisation_page(RESULTS["compare"], RESULTS["field_of_view"]) == text


@pytest.mark.parametrize(
    ("arm", "key", "mean"),
    [
        ("scanner", "transfer.with_detail", 0.25),
        ("scanner_fitted", "transfer.with_detail", 0.21),
        ("randomised", "transfer.with_detail", 0.3),
        ("oracle", "transfer.with_detail", 0.1),
        ("none", "reconstruction.z_scored_error_held_out", 0.6),
        ("scanner_axes", "leakage.auc_rbf_sample_travelers", 0.7),
    ],
)
def test_an_answer_that_no_longer_holds_is_not_written(arm, key, mean):
    found = json.loads(json.dumps(RESULTS["compare"]))
    assert all(part.startswith("## ") for part in answer_sections(found))
    found["arms"][arm][key]["mean"] = mean
    with pytest.raises(ValueError, match="no longer so"):
        answer_sections(found)
    del found["arms"][arm]
    assert answer_sections(found) == ("", "")


def test_the_share_that_a_fit_takes_is_only_told_where_it_is_known():
    found = json.loads(json.dumps(RESULTS["compare"]))
    share = found["gaps"]["scanner_fitted"]["each"]["traveler_harmonisation"]
    share["ci95"] = [0.4, 1.2]
    with pytest.raises(ValueError, match="takes most"):
        answer_sections(found)[0]


def test_age_is_told_as_the_intervals_have_it():
    found = json.loads(json.dumps(RESULTS["compare"]))
    words = "not told apart from *none*, *randomised*; worse than *randomised_full*."
    assert words in answer_sections(found)[0]
    found["differences"]["none"]["age_error"] |= {"mean": 0.1, "ci95": [0.05, 0.15]}
    assert "worse than *none*, *randomised_full*; not told" in answer_sections(found)[0]


@pytest.mark.parametrize("gone", ["same_setting", "randomised_full", "oracle_axes"])
def test_a_comparison_of_fewer_arms_has_no_answer_or_an_empty_cell(gone):
    found = json.loads(json.dumps(RESULTS["compare"]))
    found.pop(gone, None)
    found["arms"].pop(gone, None)
    (oracle,) = re.findall(r"^\| \*oracle\*.*", answer_sections(found)[0], re.M) or [""]
    assert ("–" in oracle) == (gone == "oracle_axes")


def test_the_figure_shows_every_arm_it_names(tmp_path):
    draw_arms(RESULTS["compare"], tmp_path / "arms.png")
    assert (tmp_path / "arms.png").read_bytes().startswith(b"\x89PNG")
    arms = RESULTS["compare"]["arms"]
    assert all(name in arms for names, _ in FAMILIES.values() for name in names)


def test_a_difference_is_called_better_or_worse_only_outside_its_interval():
    change = {"mean": 0.1, "ci95": [-0.1, 0.3], "better": "lower"}
    assert verdict(change) == "0.100 (-0.100 to 0.300)"
    assert verdict({**change, "ci95": [0.05, 0.3]}) == "*0.100* (0.050 to 0.300)"
    higher = {**change, "ci95": [0.05, 0.3], "better": "higher"}
    assert verdict(higher) == "**0.100** (0.050 to 0.300)"


def test_a_target_of_the_axes_is_called_missed_where_it_is():
    numbers = {
        "leakage.auc_rbf_sample_travelers": 0.65,
        "travelers.reidentification_seen": 0.95,
        "travelers.reidentification_held_out": 0.89,
        "age.share_of_chance_across": 0.42,
        "age.share_of_chance_within": 0.4,
        "age.share_of_chance_within_held_out": 0.3,
    }
    known = {key: {"mean": value, "ci95": None} for key, value in numbers.items()}
    arm = {"of": "whole", "axes": 7, "noise": "scanner"}
    text = axes_section({"whole": {}, "along": known}, {"along": arm})
    assert "- whole, 7 axes, imitated copies: leakage 0.650 (met); " in text
    assert "recognised 0.890 (missed)" in text
    assert "age 1.05 times that within the training sites' test people (met)" in text
    assert "age 1.40 times that within the unseen sites (missed)" in text
