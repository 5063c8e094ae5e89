import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_cohort import GAIN, FakeEncoder, evaluated, fake_cohort

from medvae.evaluation import (
    evaluate,
    stored_scans,
)
from medvae.evaluation.alignment import Motion
from medvae.evaluation.questions.transfer import by_traveler


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
    seeing, blind = (
        evaluated(blind=b, cohort=cohort, permutations=20) for b in (0.0, 1.0)
    )
    assert seeing.get(*key).value > 0.9
    assert seeing.get(*key).n == 20
    assert blind.get(*key).p > 0.05
    one = [s for s in cohort if not s.subject.startswith("T") or s.subject == "T0"]
    found = evaluated(cohort=one, permutations=2)
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
    same = evaluated(averaged=FakeEncoder(blind=1.0))
    poorer = evaluated(averaged=FakeEncoder(blind=1.0, dims=2))
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


def test_only_an_interval_wholly_above_chance_is_above_chance(blind):
    assert blind.get("travelers", "reidentification_seen").is_above_chance
    assert not blind.get("leakage", "auc_linear_sample").is_above_chance
    assert not blind.get("collapse", "dimensions").is_above_chance


def test_misplacement_is_undone_alike_in_every_arm():
    still, moved = fake_cohort(noise=0.0), fake_cohort(noise=0.0)
    for scan in moved:
        if scan.site == "N":
            scan.image = Motion((2.0, -2.0, 1.0)).apply(scan.image, (2, 2, 2))
    want = by_traveler(evaluated(cohort=still, permutations=1).travelers, "do_nothing")
    for align, close in ((True, 0.05), (False, None)):
        got = by_traveler(
            evaluated(cohort=moved, permutations=1, align=align).travelers, "do_nothing"
        )
        gap = max(abs(got[who] - want[who]) for who in want)
        assert (gap < 0.1) == (close is not None)


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


def test_bits_are_of_the_likelihood_that_the_encoder_was_trained_with():
    bits = {}
    for name in ("gaussian", "laplace"):
        encoder = FakeEncoder()
        encoder.likelihood, encoder.scale = name, 1e4  # so wide that no error counts
        options = {"held_out": ["N"], "permutations": 2, "align": False}
        found = evaluate(encoder, fake_cohort(), **options)
        bits[name] = found.get("reconstruction", "bits_per_voxel_seen").value
    more = np.log2(2) - np.log2(np.sqrt(2 * np.pi))  # of their normalisation alone
    assert bits["laplace"] - bits["gaussian"] == pytest.approx(more, abs=1e-3)


def test_train_subjects_do_not_count_in_test_numbers():
    cohort = fake_cohort()
    spoiled = [
        replace(s, image=s.image + 5) if s.split == "train" and s.site != "N" else s
        for s in cohort
    ]
    clean, dirty = (evaluated(cohort=c, permutations=2) for c in (cohort, spoiled))
    for name in ("psnr_seen", "ssim_seen"):
        assert clean.get("reconstruction", name) == dirty.get("reconstruction", name)


def test_people_trained_on_elsewhere_are_no_held_out_people():
    cohort = [
        replace(s, split="train") if s.subject.startswith("T") else s
        for s in fake_cohort()
    ]
    found = evaluated(cohort=cohort, permutations=2)
    assert found.get("reconstruction", "psnr_held_out").n == 12
    assert any("flatter" in note for note in found.notes)


def test_an_encoder_without_site_inputs_is_evaluated_too():
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
    evaluated(progress=lambda *call: calls.append(call), permutations=1)
    assert calls[-1][0] == calls[-1][1]
    assert {"encode", "transfer", "age"} <= {label for *_, label in calls}
