"""Each public multi-site data set is read as it is distributed."""

from __future__ import annotations

import json

import pytest
import small_tree

from medvae.cohort import read_cohort
from medvae.errors import UserError

tree = small_tree.tree


def sites(cohort):
    return {(s.subject, s.session): s.site for s in cohort.scans}


def test_ixi_tells_its_site_in_the_file_name(tree):
    root = tree(
        dict.fromkeys(
            (
                "IXI-T1/IXI012-HH-1211-T1.nii",
                "IXI-T1/IXI002-Guys-0828-T1.nii",
                "IXI-T1/IXI035-IOP-0873-T1.nii",
                "IXI-T1/IXI035-IOP-0873-T2.nii",
            ),
            "",
        )
    )
    expected = {"IXI012": "HH", "IXI002": "Guys", "IXI035": "IOP"}
    for start in (root, root / "IXI-T1"):
        cohort = read_cohort(start)
        assert {s.subject: s.site for s in cohort.scans} == expected
        assert len(cohort) == 3


def test_calgary_campinas_tells_scanner_age_and_sex_in_the_file_name(tree):
    root = tree({"CC0001_philips_15_55_M.nii": "", "CC0301_siemens_3_41_F.nii": ""})
    one, two = read_cohort(root).scans
    assert (one.subject, one.site, one.age, one.sex) == (
        "CC0001",
        "philips_15",
        55,
        "M",
    )
    assert (two.subject, two.site, two.age, two.sex) == ("CC0301", "siemens_3", 41, "F")


def test_on_harmony_tells_its_site_in_the_session(tree):
    root = tree(
        {
            "dataset_description.json": "{}",
            "participants.tsv": "participant_id\tage\tsex\nsub-03286\t25\tF\n",
            **dict.fromkeys(
                f"sub-03286/ses-{s}/anat/sub-03286_ses-{s}_T1w.nii"
                for s in ("NOT1ACH001", "NOT1ACH002", "OXF2PRI001")
            ),
        }
    )
    cohort = read_cohort(root)
    assert cohort.sites == ("NOT1ACH", "OXF2PRI")
    assert list(cohort.travelers()) == ["03286"]
    assert {s.age for s in cohort.scans} == {25}


def test_ds003011_tells_its_site_after_the_year(tree):
    root = tree(
        dict.fromkeys(
            f"sub-0001/ses-{s}/anat/sub-0001_ses-{s}_T1w.nii"
            for s in ("Y1CMH", "Y2MRC")
        )
    )
    assert read_cohort(root).sites == ("CMH", "MRC")


def test_corr_and_abide_tell_their_site_in_the_folder_above(tree):
    root = tree(
        {
            "BNU_1/participants.tsv": "participant_id\tAGE\tsex\nsub-0025864\t22\tm\n",
            "BNU_1/sub-0025864/ses-1/anat/sub-0025864_ses-1_T1w.nii": "",
            "NYU_2/sub-0025000/anat/sub-0025000_T1w.nii": "",
        }
    )
    one, two = read_cohort(root).scans
    assert (one.subject, one.session, one.site) == ("0025864", "1", "BNU_1")
    assert (one.age, one.sex) == (22, "M")
    assert (two.subject, two.site) == ("0025000", "NYU_2")


def test_abide_tells_its_site_in_a_column(tree):
    table = "participant_id\tSITE_ID\nsub-1\tPITT\nsub-2\tNYU\n"
    root = tree(
        {
            "participants.tsv": table,
            "sub-1/anat/sub-1_T1w.nii": "",
            "sub-2/anat/sub-2_T1w.nii": "",
        }
    )
    assert sites(read_cohort(root)) == {("1", None): "PITT", ("2", None): "NYU"}


def test_fets_tells_its_site_in_the_partitioning(tree):
    root = tree(
        {
            "partitioning_1.csv": "Partition_ID,Subject_ID\n1,FeTS2022_01341\n"
            "2,FeTS2022_00001\n",
            "FeTS2022_01341/FeTS2022_01341_t1.nii": "",
        }
    )
    cohort = read_cohort(root / "partitioning_1.csv")
    assert sites(cohort) == {("FeTS2022_01341", None): "1"}
    assert "no FeTS2022_00001_t1.nii.gz" in cohort.problems[0].message


def test_a_travelers_site_belongs_to_the_session(tree):
    root = tree(
        {
            "participants.tsv": "participant_id\tage\tsex\tsite\n"
            "sub-NYU01\t30\tF\tNYU\nsub-T01\t41\tM\tn/a\n",
            "sub-T01/sub-T01_sessions.tsv": "session_id\tsite\n"
            "ses-NYU\tNYU\nses-UM1\tUM_1\n",
            "sub-T01/ses-NYU/anat/sub-T01_ses-NYU_T1w.nii": "",
            "sub-T01/ses-UM1/anat/sub-T01_ses-UM1_T1w.nii": "",
            "sub-NYU01/anat/sub-NYU01_T1w.nii": "",
            "derivatives/truth/sub-NYU01/anat/sub-NYU01_T1w.nii": "",
            "derivatives/sub-X/anat/sub-X_T1w.nii": "",
        }
    )
    cohort = read_cohort(root)
    assert sites(cohort) == {
        ("NYU01", None): "NYU",
        ("T01", "NYU"): "NYU",
        ("T01", "UM1"): "UM_1",
    }
    assert set(cohort.travelers()["T01"]) == {"NYU", "UM_1"}
    assert {s.age for s in cohort.scans if s.subject == "T01"} == {41}


def test_scans_tsv_beats_sessions_beats_participants(tree):
    files = {
        "participants.tsv": "participant_id\tsite\nsub-1\tP\n",
        "sub-1/ses-a/anat/sub-1_ses-a_T1w.nii": "",
    }
    assert read_cohort(tree(files)).sites == ("P",)
    sessions = {"sub-1/sub-1_sessions.tsv": "session_id\tsite\nses-a\tS\n"}
    assert read_cohort(tree(sessions)).sites == ("S",)
    name = "anat/sub-1_ses-a_T1w.nii"
    scans = {"sub-1/ses-a/sub-1_ses-a_scans.tsv": f"filename\tsite\n{name}\tC\n"}
    assert read_cohort(tree(scans)).sites == ("C",)


def test_a_sidecar_names_the_scanner_and_is_inherited(tree):
    one = {"Manufacturer": "GE", "ManufacturersModelName": "Signa HDxt"}
    root = tree(
        {
            "T1w.json": json.dumps(one),
            "sub-1/anat/sub-1_T1w.nii": "",
            "sub-1/anat/sub-1_T1w.json": json.dumps({"DeviceSerialNumber": "42"}),
            "sub-2/anat/sub-2_T1w.nii": "",
        }
    )
    assert sites(read_cohort(root)) == {
        ("1", None): "GE_SignaHDxt_42",
        ("2", None): "GE_SignaHDxt",
    }


def test_a_vendor_alone_is_no_scanner(tree):
    root = tree({"T1w.json": '{"Manufacturer": "GE"}', "sub-1/anat/sub-1_T1w.nii": ""})
    assert read_cohort(root).scans[0].site is None


@pytest.mark.parametrize(
    ("site_from", "site"),
    [
        ("participants:center", "C7"),
        ("center", "C7"),
        ("session:^([a-z]+)", "pre"),
        ("session:(?P<site>[0-9])$", "2"),
        ("sidecar:Manufacturer", "GE"),
        ("filename:acq-([a-z]+)", "fast"),
        ("sessions:site", None),
    ],
)
def test_site_from_overrides_every_guess(tree, site_from, site):
    root = tree(
        {
            "participants.tsv": "participant_id\tcenter\tsite\nsub-1\tC7\twrong\n",
            "sub-1/ses-pre2/anat/sub-1_ses-pre2_acq-fast_T1w.nii": "",
            "sub-1/ses-pre2/anat/sub-1_ses-pre2_acq-fast_T1w.json": '{"Manufacturer":'
            '"GE"}',
        }
    )
    assert read_cohort(root, site_from).scans[0].site == site


def test_a_site_from_that_means_nothing_lists_what_does(tree):
    root = tree({"sub-1/anat/sub-1_T1w.nii": ""})
    with pytest.raises(
        UserError, match=r"'entity:acq' is not known\. Write one of: COLUMN, parti"
    ):
        read_cohort(root, "entity:acq")
    with pytest.raises(UserError, match="not a regular expression"):
        read_cohort(root, "session:(")


def test_fets_with_an_empty_cell_is_named_by_its_row(tree):
    text = "Partition_ID,Subject_ID\n1,FeTS_1\n,FeTS_2\n"
    root = tree({"partitioning_1.csv": text, "FeTS_1/FeTS_1_t1.nii": ""})
    with pytest.raises(UserError, match=r"partitioning_1\.csv, row 3: an empty cell"):
        read_cohort(root / "partitioning_1.csv")


def test_the_folder_above_or_a_sidecar_can_be_asked_for(tree):
    root = tree(
        {
            "NYU/sub-1/anat/sub-1_T1w.nii": "",
            "NYU/sub-1/anat/sub-1_T1w.json": json.dumps(
                {"Manufacturer": "GE", "ManufacturersModelName": "Signa"}
            ),
            "participants.tsv": "participant_id\tsite\nsub-1\twrong\n",
        }
    )
    assert read_cohort(root, "folder").scans[0].site == "NYU"
    assert read_cohort(root, "sidecar").scans[0].site == "GE_Signa"


def test_a_session_that_the_expression_does_not_meet_has_no_site(tree):
    root = tree({"sub-1/ses-7/anat/sub-1_ses-7_T1w.nii": ""})
    assert read_cohort(root, "session:^([a-z]+)").scans[0].site is None


def test_phase_images_are_no_scans_and_another_kind_is_asked_for_by_name(tree):
    root = tree(
        {
            "sub-1/anat/sub-1_part-phase_T1w.nii": "",
            "sub-1/anat/sub-1_part-mag_T1w.nii": "",
        }
    )
    (scan,) = read_cohort(root).scans
    assert scan.path.name == "sub-1_part-mag_T1w.nii"
    (root / "sub-1/anat/sub-1_part-mag_T1w.nii").rename(root / "sub-1/anat/x_T2w.nii")
    with pytest.raises(UserError, match=r"no \*_T1w\.nii\.gz in sub-\*.*suffix: T2w"):
        read_cohort(root)
