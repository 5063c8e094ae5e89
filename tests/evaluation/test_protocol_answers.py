import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from fake_cohort import GAIN, FakeEncoder, fake_cohort

from medvae.errors import UserError
from medvae.evaluation import (
    Evaluation,
    compare_transfer,
    evaluate,
    read_evaluation,
    stored_scans,
)
from medvae.evaluation.alignment import Motion
from medvae.evaluation.questions.transfer import by_traveler
from medvae.evaluation.reconstruction import z_scored_error
from medvae.model.detail import BANDS


def run(blind=1.0, cohort=None, **options):
    options = {"held_out": ["N"], "permutations": 40, "align": False} | options
    scans = fake_cohort() if cohort is None else cohort
    return evaluate(FakeEncoder(blind=blind), scans, **options)


@pytest.fixture(scope="module")
def blind():
    return run(blind=1.0)


@pytest.fixture(scope="module")
def seeing():
    return run(blind=0.0)


def test_an_encoder_that_undoes_the_scanner_transfers_to_the_noise_floor(blind):
    assert blind.get("transfer", "error").value < 0.01
    assert blind.get("transfer", "do_nothing").value > 0.3


def test_an_encoder_that_keeps_the_scanner_transfers_no_better_than_nothing(seeing):
    assert seeing.get("transfer", "share_of_do_nothing").value == pytest.approx(
        1, abs=0.01
    )


def test_transfer_error_is_the_error_against_the_real_scan(seeing):
    scans = fake_cohort()
    row = seeing.travelers[0]
    (a,) = (s for s in scans if (s.subject, s.site) == (row.subject, row.target))
    (n,) = (s for s in scans if (s.subject, s.site) == (row.subject, row.source))
    x, y = a.image[a.mask].astype(float), n.image[a.mask].astype(float)
    assert row.do_nothing == pytest.approx(np.mean((x - y) ** 2) / x.var())


def test_leakage_is_found_where_the_latent_carries_the_gain_and_only_there(
    blind, seeing
):
    assert seeing.get("leakage", "auc_linear_mean").value > 0.9
    assert seeing.get("leakage", "auc_linear_mean").p < 0.05
    assert blind.get("leakage", "auc_linear_sample").p > 0.05


def test_the_same_people_at_every_site_show_the_scanner_alone():
    key = "leakage", "auc_rbf_sample_travelers"
    cohort = fake_cohort(travelers=20, per_site=4)
    seeing, blind = (run(blind=b, cohort=cohort, permutations=20) for b in (0.0, 1.0))
    assert seeing.get(*key).value > 0.9
    assert seeing.get(*key).n == 20
    assert blind.get(*key).p > 0.05
    one = [s for s in cohort if not s.subject.startswith("T") or s.subject == "T0"]
    found = run(cohort=one, permutations=2)
    assert found.get(*key) is None
    assert any("among travelers" in row.question for row in found.unanswered)


def test_people_are_recognised_across_seen_and_held_out_scanners(blind):
    for label in ("seen", "held_out"):
        assert blind.get("travelers", f"reidentification_{label}").value == 1
        assert blind.get("travelers", f"icc_{label}").value > 0.98
    assert blind.get("travelers", "reidentification_seen").chance == pytest.approx(
        1 / 6
    )


def test_a_scanner_offset_lowers_the_agreement(blind, seeing):
    names = ("travelers", "icc_held_out")
    assert seeing.get(*names).value < blind.get(*names).value - 0.1


def test_age_is_read_across_sites(blind):
    found = blind.get("age", "mae_years_across")
    assert found.value < found.chance / 4
    assert found.p < 0.01


def test_seen_scans_use_their_own_code_and_held_out_scans_the_mean_code(blind):
    assert blind.get("reconstruction", "psnr_seen").value > 30
    mean_gain = (GAIN["A"] + GAIN["B"]) / 2
    expected = -20 * np.log10(GAIN["N"] - mean_gain) + 20 * np.log10(1.0)
    assert blind.get("reconstruction", "psnr_held_out").value < 30
    assert expected < blind.get("reconstruction", "psnr_held_out").value + 6
    assert any("mean of these inputs" in note for note in blind.notes)


def test_averaged_codes_are_reported_beside_those_of_the_raw_scan(blind):
    same = run(averaged=FakeEncoder(blind=1.0))
    poorer = run(averaged=FakeEncoder(blind=1.0, dims=2))
    for where in ("seen", "held_out"):
        raw = same.get("reconstruction", f"psnr_{where}").value
        averaged = same.get("reconstruction", f"psnr_{where}_averaged").value
        assert averaged == pytest.approx(raw)
        assert poorer.get("reconstruction", f"psnr_{where}_averaged").value < raw - 1
        assert poorer.get("reconstruction", f"psnr_{where}").value == raw
    assert "psnr_seen_averaged" not in blind.metrics["reconstruction"]


def test_gap_is_held_out_minus_seen(blind):
    values = [
        blind.get("reconstruction", f"psnr_{k}").value for k in ("held_out", "seen")
    ]
    gap = blind.get("reconstruction", "psnr_gap")
    assert gap.value == pytest.approx(values[0] - values[1])


def test_without_a_mean_code_every_training_code_is_averaged():
    found = evaluate(
        FakeEncoder(mean_code=False),
        fake_cohort(),
        held_out=["N"],
        permutations=2,
        align=False,
    )
    parts = [
        found.get("reconstruction", f"psnr_held_out_as_{s}").value for s in ("A", "B")
    ]
    assert found.get("reconstruction", "psnr_held_out").value == pytest.approx(
        np.mean(parts)
    )
    assert any("no mean of site inputs" in note for note in found.notes)


def test_the_same_seed_gives_the_same_file():
    first, second = (run(permutations=5, seed=3).as_dict() for _ in range(2))
    assert first == second


def test_numbers_survive_the_file(tmp_path, blind):
    blind.write(tmp_path / "evaluation.json")
    content = json.loads((tmp_path / "evaluation.json").read_text())
    assert set(content["metrics"]["transfer"]["error"]) >= {
        "value",
        "ci95",
        "n",
        "chance",
    }
    assert read_evaluation(tmp_path / "evaluation.json") == blind


def test_a_missing_or_broken_file_names_the_remedy(tmp_path):
    with pytest.raises(UserError, match=r"not found\. Make it with"):
        read_evaluation(tmp_path / "none.json")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        read_evaluation(tmp_path / "x.json")


def test_too_few_subjects_a_site_leave_leakage_open_or_the_site_out():
    cohort = fake_cohort(sites=("A", "B", "N"), travelers=0, per_site=6)
    alone = [s for s in cohort if s.site != "B" or s.subject == "B0"]
    found = run(cohort=alone, permutations=2)
    assert "leakage" not in found.metrics
    three = fake_cohort(sites=("A", "B", "C", "N"), travelers=0, per_site=6)
    few = [s for s in three if s.site != "C" or s.subject == "C0"]
    found = evaluate(
        FakeEncoder(sites=("A", "B", "C")), few, held_out=["N"], permutations=2
    )
    assert found.get("leakage", "auc_rbf_mean").n == 6
    assert any("leaves out C" in note for note in found.notes)


def test_only_an_interval_wholly_above_chance_is_above_chance(blind):
    assert blind.get("travelers", "reidentification_seen").is_above_chance
    assert not blind.get("leakage", "auc_linear_sample").is_above_chance
    assert not blind.get("collapse", "dimensions").is_above_chance


def test_another_files_format_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UserError, match="format must be"):
        read_evaluation(tmp_path / "x.json")


def test_paired_comparison_favours_the_blind_encoder(blind, seeing):
    found = compare_transfer(seeing, blind)
    assert found.n == 6
    assert found.ratio_ci95[1] < 0.1
    assert found.p == 2 / 2**6


def test_comparison_uses_only_pairs_that_both_runs_scored(blind, seeing):
    fewer = replace(blind, travelers=blind.travelers[2:])
    assert compare_transfer(seeing, fewer).n == 5
    with pytest.raises(ValueError, match="share no traveler"):
        compare_transfer(seeing, replace(blind, travelers=()))


def test_misplacement_is_undone_alike_in_every_arm():
    still, moved = fake_cohort(noise=0.0), fake_cohort(noise=0.0)
    for scan in moved:
        if scan.site == "N":
            scan.image = Motion((2.0, -2.0, 1.0)).apply(scan.image, (2, 2, 2))
    want = by_traveler(run(cohort=still, permutations=1).travelers, "do_nothing")
    for align, close in ((True, 0.05), (False, None)):
        got = by_traveler(
            run(cohort=moved, permutations=1, align=align).travelers, "do_nothing"
        )
        gap = max(abs(got[who] - want[who]) for who in want)
        assert (gap < 0.1) == (close is not None)


def test_questions_without_data_are_named_and_nothing_crashes():
    cohort = [replace(s, age=None) for s in fake_cohort(travelers=0, per_site=6)]
    found = run(cohort=cohort, permutations=2)
    open_questions = " ".join(row.question for row in found.unanswered)
    for word in ("travelers", "age", "transfer"):
        assert word in open_questions
    assert "transfer" not in found.metrics


def reasons(**options):
    found = run(permutations=2, **options)
    return {row.question: row.reason for row in found.unanswered}


def test_every_open_question_says_what_it_needs_and_what_it_got():
    young = [
        replace(s, age=30.0 + int(s.subject[1:]) % 4)
        for s in fake_cohort(travelers=2, per_site=4)
    ]
    alone = [s for s in young if s.site == "A"]
    for told in (
        reasons(cohort=young),
        reasons(cohort=[replace(s, age=None) for s in young]),
        reasons(cohort=alone, held_out=[]),
        reasons(cohort=[replace(s, split="train") for s in alone], held_out=[]),
    ):
        assert told
        for question, reason in told.items():
            assert re.fullmatch(r"it needs .+, got .+", reason), (question, reason)
            assert "no site" not in reason


def test_ages_known_but_too_alike_are_counted():
    young = [
        replace(s, age=30.0 + int(s.subject[1:]) % 4)
        for s in fake_cohort(travelers=0, per_site=8)
    ]
    count = len({s.subject for s in young if s.split == "test" and s.site != "N"})
    assert reasons(cohort=young)["site leakage beyond age"] == (
        "it needs the age of every test subject, and 5 different ages among them, got "
        f"4 different ones of {count} test subjects"
    )


def test_without_held_out_sites_the_rest_is_answered():
    found = run(held_out=[], permutations=2)
    assert found.get("reconstruction", "psnr_seen") is not None
    assert any("held-out" in row.question for row in found.unanswered)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_travelers_do_not_crash(count):
    found = run(cohort=fake_cohort(travelers=count, per_site=4), permutations=2)
    assert found.get("transfer", "error").n == count


def test_an_encoder_that_says_nothing_is_called_collapsed():
    class Silent(FakeEncoder):
        def encode_batch(self, x):
            z, std = super().encode_batch(x)
            return 0 * z, 0 * std + 1

        def decode_batch(self, z, site=None):
            return super().decode_batch(z + 1, site)

    found = evaluate(
        Silent(), fake_cohort(), held_out=["N"], permutations=5, align=False
    )
    assert found.get("collapse", "inactive_share").value == 1
    assert any("collapsed" in note for note in found.notes)
    chance = found.get("travelers", "reidentification_held_out")
    assert chance is None or chance.value == pytest.approx(chance.chance)


def test_train_subjects_do_not_count_in_test_numbers():
    cohort = fake_cohort()
    spoiled = [
        replace(s, image=s.image + 5) if s.split == "train" and s.site != "N" else s
        for s in cohort
    ]
    clean, dirty = (run(cohort=c, permutations=2) for c in (cohort, spoiled))
    for name in ("psnr_seen", "ssim_seen"):
        assert clean.get("reconstruction", name) == dirty.get("reconstruction", name)


def test_people_trained_on_elsewhere_are_no_held_out_people():
    cohort = [
        replace(s, split="train") if s.subject.startswith("T") else s
        for s in fake_cohort()
    ]
    found = run(cohort=cohort, permutations=2)
    assert found.get("reconstruction", "psnr_held_out").n == 12
    assert any("flatter" in note for note in found.notes)


def test_a_site_that_was_trained_on_cannot_be_held_out():
    with pytest.raises(UserError, match="was trained on it"):
        run(held_out=["A"])


def test_a_held_out_site_without_scans_is_refused():
    with pytest.raises(UserError, match="Z has no scan; got A, B and N"):
        run(held_out=["Z"])


def test_an_encoder_without_site_codes_is_evaluated_too():
    class Plain(FakeEncoder):
        def decode_batch(self, z, site=None):
            assert site is None
            self.sites = ("A", "B")
            try:
                return super().decode_batch(z, None)
            finally:
                self.sites = ()

    found = evaluate(
        Plain(sites=()), fake_cohort(), held_out=["N"], permutations=2, align=False
    )
    assert found.get("transfer", "error").n == 6
    assert found.get("leakage", "auc_rbf_mean") is not None


def test_stored_scans_read_voxels_only_when_asked():
    class Store:
        reads = 0

        def image(self, index):
            self.reads += 1
            return np.zeros(3)

        def mask(self, index):
            return np.ones(3, bool)

    store, people = Store(), fake_cohort(per_site=1, travelers=0)
    scans = stored_scans(store, people, {people[0].subject: "test"})
    assert (scans[0].split, scans[1].split, store.reads) == ("test", None, 0)
    assert scans[0].image.shape == (3,)
    assert (scans[0].age, scans[0].sex) == (people[0].age, people[0].sex)
    assert scans[0].mask.all()


def test_progress_ends_where_it_said_it_would():
    calls = []
    run(progress=lambda *call: calls.append(call), permutations=1)
    assert calls[-1][0] == calls[-1][1]
    assert {"encode", "transfer", "age"} <= {label for *_, label in calls}


def test_an_evaluation_without_numbers_still_makes_a_file(tmp_path):
    empty = Evaluation("r", (), {})
    empty.write(tmp_path / "e.json")
    assert read_evaluation(tmp_path / "e.json") == empty


def test_harmonising_takes_away_the_difference_of_the_average_scanner(blind):
    """N has gain 1.5, the known sites 1.125 on average: to A, .125 goes away."""
    average = np.mean([GAIN["A"], GAIN["B"]])
    for row in blind.travelers:
        left = ((GAIN["N"] - average) / (GAIN["N"] - GAIN[row.target])) ** 2
        assert row.with_detail == pytest.approx(left * row.do_nothing, rel=0.1)
    assert {row.target for row in blind.travelers} == {"A", "B"}


def test_a_harmonised_scan_that_keeps_no_detail_is_what_was_decoded():
    encoder, cohort = FakeEncoder(), fake_cohort()
    encoder.detail = torch.zeros(BANDS)
    found = evaluate(encoder, cohort, held_out=["N"], permutations=2, align=False)
    scans = {(scan.subject, scan.site): scan for scan in cohort}
    for row in found.travelers:
        moving, real = (scans[row.subject, site] for site in ("N", row.target))
        x = torch.as_tensor(moving.image)[None, None].float()
        painted = encoder.decode_batch(encoder.encode_batch(x)[0], row.target)
        whole = np.maximum(painted[0, 0].numpy(), 0)
        want = z_scored_error(whole, real.image, real.mask)
        assert row.with_detail == pytest.approx(want, rel=1e-4)


def test_harmonising_by_a_decoder_that_tells_no_sites_apart_does_nothing(seeing):
    for row in seeing.travelers:
        assert row.with_detail == pytest.approx(row.do_nothing, rel=1e-3)  # >= 0


def test_three_travelers_give_an_agreement_without_interval():
    found = run(cohort=fake_cohort(travelers=3), permutations=2)
    agreed = found.get("travelers", "icc_seen")
    assert agreed.n == 3
    assert agreed.ci95 is None  # resampled, it would end at its own value
