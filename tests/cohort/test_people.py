"""Who is on a scan, where the file's name does not say."""

import pytest
import small_tree

from medvae.cli.cohorts import residents_of
from medvae.cohort import read_cohort
from medvae.cohort.reader import read_site_folders
from medvae.errors import UserError

tree = small_tree.tree


def people(cohort):
    return sorted((s.subject, s.site) for s in cohort.scans)


@pytest.mark.parametrize("below", ["T1.nii.gz", "anat/T1.nii.gz", "t1/nii/T1.nii.gz"])
def test_files_called_alike_take_the_person_from_the_folder_above(tree, below):
    names = [f"{at}/{at}{i}/{below}" for at in ("NYU", "KKI") for i in range(2)]
    cohort = read_cohort(tree(dict.fromkeys(names)))
    expected = [("KKI0", "KKI"), ("KKI1", "KKI"), ("NYU0", "NYU"), ("NYU1", "NYU")]
    assert people(cohort) == expected
    assert not cohort.problems


def test_one_scan_a_site_called_alike_takes_the_person_from_the_folder_above(tree):
    cohort = read_cohort(tree({"A/p1/T1.nii": "", "B/p2/T1.nii": ""}))
    assert people(cohort) == [("p1", "A"), ("p2", "B")]


def test_names_that_tell_the_person_are_kept_whatever_the_folder(tree):
    names = ("A/batch1/s1.nii", "A/batch1/s2.nii", "B/batch2/s1.nii", "B/x/s3.nii")
    cohort = read_cohort(tree(dict.fromkeys(names)))
    assert people(cohort) == [("s1", "A"), ("s1", "B"), ("s2", "A"), ("s3", "B")]


def test_visits_of_a_person_are_one_person_and_said_so(tree):
    names = [f"A/p{i}/visit{k}/T1.nii" for i in (1, 2) for k in (1, 2)]
    cohort = read_cohort(tree(dict.fromkeys([*names, "B/p3/T1.nii"])))
    assert {s.subject for s in cohort.scans} == {"p1", "p2", "p3"}
    (problem,) = cohort.problems
    assert problem.message == (
        "2 people are scanned several times at one site (p1 at A: 2, p2 at A: 2)"
    )
    assert "give a table (path,subject,site)" in problem.remedy


def test_sessions_of_a_person_are_no_surprise(tree):
    names = [f"A/sub-1_ses-{k}_T1w.nii" for k in (1, 2)]
    cohort = read_cohort(tree(dict.fromkeys([*names, "B/sub-2_T1w.nii"])))
    assert not cohort.problems


def test_a_table_without_subjects_reads_people_as_a_folder_does(tree):
    lines = "path,site\nN/p1/T1.nii,NYU\nN/p2/T1.nii,NYU\nK/p1/T1.nii,KKI\n"
    cohort = read_cohort(tree({"c.csv": lines}) / "c.csv")
    assert people(cohort) == [("p1", "KKI"), ("p1", "NYU"), ("p2", "NYU")]
    assert [p.message for p in cohort.problems] == ["1 person is at several sites (p1)"]


def test_folders_named_as_sites_hold_people_not_sites(tree):
    names = [f"{at}/{at}{i}/T1.nii" for at in ("NYU", "KKI") for i in range(2)]
    root = tree(dict.fromkeys(names))
    cohort = read_site_folders([root / "NYU", root / "KKI"])
    expected = [("KKI0", "KKI"), ("KKI1", "KKI"), ("NYU0", "NYU"), ("NYU1", "NYU")]
    assert people(cohort) == expected
    assert not cohort.problems


def test_equal_names_that_leave_nobody_to_fit_on_ask_for_a_table_first(tree):
    names = [f"{at}/scan{i}.nii" for at in "AB" for i in range(3)]
    with pytest.raises(UserError) as told:
        residents_of(read_cohort(tree(dict.fromkeys(names))))
    text = str(told.value)
    assert "(scan0, scan1, scan2)" in text
    assert text.index("give a table (path,subject,site)") < text.index("--with-trav")
