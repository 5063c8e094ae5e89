"""Nobody is in two splits, and every site is in all of them."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvae.cohort import Cohort, Scan, split_subjects
from medvae.errors import UserError


def cohort_of(residents, travelers=0, sites=("A", "B", "C")):
    scans = [
        Scan(Path(f"{site}{i}.nii"), f"{site}{i}", site)
        for site in sites
        for i in range(residents)
    ]
    scans += [
        Scan(Path(f"T{i}{site}.nii"), f"T{i}", site)
        for i in range(travelers)
        for site in sites
    ]
    return Cohort(Path(), "table", tuple(scans))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(0, 9), st.integers(0, 99))
def test_no_subject_leaks_and_none_is_lost(residents, travelers, seed):
    cohort = cohort_of(residents, travelers)
    parts = split_subjects(cohort, seed=seed)
    where = Counter(who for part in parts.values() for who in part.subjects)
    assert set(where.values()) == {1}
    assert set(where) == set(cohort.subjects)
    assert sum(len(p) for p in parts.values()) == len(cohort)


def test_the_shares_are_the_promised_ones_at_every_site():
    parts = split_subjects(cohort_of(40))
    for site in "ABC":
        counts = {name: len(part.at(site)) for name, part in parts.items()}
        assert counts == {"train": 28, "validation": 6, "test": 6}


def test_many_small_sites_still_add_up():
    sites = tuple(f"S{i:02}" for i in range(40))
    parts = split_subjects(cohort_of(1, sites=sites))
    counts = {name: len(part) for name, part in parts.items()}
    assert counts == {"train": 28, "validation": 6, "test": 6}


def test_the_seed_decides_and_the_order_of_the_scans_does_not():
    cohort = cohort_of(20)
    backwards = cohort.keeping(reversed(cohort.scans))
    one = split_subjects(cohort, seed=1)["test"].subjects
    assert split_subjects(backwards, seed=1)["test"].subjects == one
    assert split_subjects(cohort, seed=2)["test"].subjects != one


def test_a_split_written_in_the_data_is_kept():
    scans = [Scan(Path(f"{i}.nii"), f"{i}", "A") for i in range(10)]
    scans[7] = Scan(Path("7.nii"), "7", "A", split="test")
    for seed in range(5):
        parts = split_subjects(Cohort(Path(), "table", tuple(scans)), seed=seed)
        assert "7" in parts["test"].subjects


def test_wrong_shares_and_splits_are_refused():
    with pytest.raises(ValueError, match="sum to 1, got"):
        split_subjects(cohort_of(3), {"a": 0.5, "b": 0.6})
    odd = Cohort(Path(), "t", (Scan(Path("a"), "p", "A", split="dev"),))
    with pytest.raises(UserError, match="split 'dev' is not one of train"):
        split_subjects(odd)
    torn = [Scan(Path(s), "p", "A", split=s) for s in ("train", "test")]
    with pytest.raises(UserError, match="subject 'p' is in splits train and test"):
        split_subjects(Cohort(Path(), "t", tuple(torn)))
