import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_cohort import FakeEncoder, evaluated, fake_cohort

from medvae.errors import UserError
from medvae.evaluation import (
    evaluate,
)


def reasons(**options):
    found = evaluated(permutations=2, **options)
    return {row.question: row.reason for row in found.unanswered}


def test_too_few_subjects_a_site_leave_leakage_open_or_the_site_out():
    cohort = fake_cohort(sites=("A", "B", "N"), travelers=0, per_site=6)
    alone = [s for s in cohort if s.site != "B" or s.subject == "B0"]
    found = evaluated(cohort=alone, permutations=2)
    assert "leakage" not in found.metrics
    three = fake_cohort(sites=("A", "B", "C", "N"), travelers=0, per_site=6)
    few = [s for s in three if s.site != "C" or s.subject == "C0"]
    found = evaluate(
        FakeEncoder(sites=("A", "B", "C")), few, held_out=["N"], permutations=2
    )
    assert found.get("leakage", "auc_rbf_mean").n == 6
    assert any("leaves out C" in note for note in found.notes)


def test_questions_without_data_are_named_and_nothing_crashes():
    cohort = [replace(s, age=None) for s in fake_cohort(travelers=0, per_site=6)]
    found = evaluated(cohort=cohort, permutations=2)
    open_questions = " ".join(row.question for row in found.unanswered)
    for word in ("travelers", "age", "transfer"):
        assert word in open_questions
    assert "transfer" not in found.metrics


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
    found = evaluated(held_out=[], permutations=2)
    assert found.get("reconstruction", "psnr_seen") is not None
    assert any("held-out" in row.question for row in found.unanswered)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_travelers_do_not_crash(count):
    found = evaluated(cohort=fake_cohort(travelers=count, per_site=4), permutations=2)
    assert found.get("transfer", "error").n == count


def test_three_travelers_give_an_agreement_without_interval():
    found = evaluated(cohort=fake_cohort(travelers=3), permutations=2)
    agreed = found.get("travelers", "icc_seen")
    assert agreed.n == 3
    assert agreed.ci95 is None  # of three, one left out says too little


def test_a_held_out_site_without_scans_is_refused():
    with pytest.raises(UserError, match="Z has no scan; got A, B and N"):
        evaluated(held_out=["Z"])


def test_a_site_that_was_trained_on_cannot_be_held_out():
    with pytest.raises(UserError, match="was trained on it"):
        evaluated(held_out=["A"])
