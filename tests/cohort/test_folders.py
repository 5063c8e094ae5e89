"""A folder per site, as people keep their scans."""

from dataclasses import replace
from pathlib import Path

import pytest
import small_tree

from medvae.cohort import read_cohort
from medvae.errors import UserError
from medvae.volume import Problem

tree = small_tree.tree


def test_a_folder_is_a_site(tree):
    root = tree(
        dict.fromkeys(
            (
                "siteA/p1.nii",
                "siteA/deep/er/p2.nii",
                "siteB/p3.nii",
                "siteB/.hidden/p4.nii",
                "derivatives/p5.nii",
                ".git/p6.nii",
            )
        )
    )
    cohort = read_cohort(root)
    found = {(s.subject, s.site) for s in cohort.scans}
    assert found == {("p1", "siteA"), ("p2", "siteA"), ("p3", "siteB")}
    assert cohort.layout == "folder per site"


def test_a_mask_is_put_beside_its_scan(tree):
    root = tree(
        dict.fromkeys(
            ("A/s1.nii", "A/s1_mask.nii", "B/sub-2_T1w.nii", "B/sub-2_brain_mask.nii")
        )
    )
    masks = {s.subject: s.mask and s.mask.name for s in read_cohort(root).scans}
    assert masks == {"s1": "s1_mask.nii", "2": "sub-2_brain_mask.nii"}


def test_scans_right_in_a_folder_get_its_name(tree):
    root = tree({"hospital/a.nii": "", "hospital/b.nii": ""})
    assert read_cohort(root / "hospital").sites == ("hospital",)


@pytest.mark.parametrize("name", ["sub-01/anat/sub-01_T1w.nii", "sub-01_T1w.nii"])
def test_the_same_name_at_two_sites_is_one_person_and_said_so(tree, name):
    root = tree({f"A/{name}": "", f"B/{name}": ""})
    cohort = read_cohort(root)
    assert list(cohort.travelers()) == ["01"]
    assert cohort.problems[0].severity == "warning"
    assert cohort.problems[0].message == "1 person is at several sites (01)"


def test_a_column_in_a_site_folder_beats_its_name(tree):
    root = tree(
        {
            "A/participants.tsv": "participant_id\tsite\nsub-1\tKKI\n",
            "A/sub-1/anat/sub-1_T1w.nii": "",
            "B/sub-2/anat/sub-2_T1w.nii": "",
        }
    )
    assert read_cohort(root).sites == ("B", "KKI")


def test_links_without_content_are_still_listed(tree, tmp_path):
    root = tree({"sub-1/anat/sub-1_T1w.nii": ""})
    folder = root / "sub-2" / "anat"
    folder.mkdir(parents=True)
    (folder / "sub-2_T1w.nii.gz").symlink_to("../../.git/annex/objects/x.nii.gz")
    assert read_cohort(root).subjects == ("1", "2")


def test_images_of_another_kind_are_left_out_and_said_so(tree):
    names = ("A/s1_T1w.nii.gz", "B/s2_T1w.nii.gz", "B/s2_bold.nii.gz")
    cohort = read_cohort(tree(dict.fromkeys(names)))
    assert len(cohort) == 2
    (problem,) = cohort.problems
    assert problem.severity == "warning"
    assert "s2_bold.nii.gz" in problem.message


def test_scans_are_found_however_their_ending_is_written(tree):
    cohort = read_cohort(
        tree(dict.fromkeys(("A/s1.nii", "A/s2.NII.GZ", "B/s3.Nii"), ""))
    )
    assert [scan.path.name for scan in cohort.at("A").scans] == ["s1.nii", "s2.NII.GZ"]
    assert not cohort.problems


def test_other_formats_and_linked_folders_are_left_out_and_said_so(tree, tmp_path):
    root = tree(dict.fromkeys(("A/s1.nii", "A/s2.mgz", "B/s3.nii", "B/old/s4.hdr"), ""))
    (tmp_path / "elsewhere").mkdir()
    (root / "B" / "more").symlink_to(tmp_path / "elsewhere")
    cohort = read_cohort(root)
    assert len(cohort) == 2
    (problem,) = cohort.problems
    assert problem.severity == "warning"
    assert "3 images of other formats, or linked folders" in problem.message
    assert "list them in a table" in problem.remedy


def test_a_notebook_shows_sites_and_problems(tree):
    bad = Problem(Path("<b>.nii"), "every voxel is 0", "Remove the scan.")
    cohort = replace(
        read_cohort(tree({"A/s1.nii": "", "B/s2.nii": ""})), problems=(bad,)
    )
    shown = cohort._repr_html_()
    assert "folder per site, 2 scans" in shown
    assert "<td>A</td>" in shown
    assert "&lt;b&gt;.nii: every voxel is 0" in shown


def test_a_folder_that_goes_away_while_it_is_read_is_told(tree, monkeypatch):
    def gone(folder, onerror):
        late = str(folder / "late")
        onerror(FileNotFoundError(2, "No such file or directory", late))

    root = tree({"A/s1.nii": ""})
    monkeypatch.setattr("os.walk", gone)
    with pytest.raises(UserError, match=r"late went away .* start again"):
        read_cohort(root)
