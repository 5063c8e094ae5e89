"""Tables, datalists and medvae.yaml; what is wrong is named by row."""

import json

import pytest
import small_tree

from medvae.cohort import read_cohort
from medvae.errors import UserError

tree = small_tree.tree


def table(tmp_path, text, name="c.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def test_every_column_is_read(tmp_path):
    text = (
        "path,subject,site,session,age,sex,mask,split,scanner\n"
        "s/a.nii.gz,sub-01,NYU,ses-1,31.5,female,m.nii,val,Allegra\n"
    )
    scan = read_cohort(table(tmp_path, text)).scans[0]
    assert scan.path == tmp_path / "s/a.nii.gz"
    assert (scan.subject, scan.site, scan.session) == ("01", "NYU", "1")
    assert (scan.age, scan.sex, scan.split) == (31.5, "F", "validation")
    assert scan.mask == tmp_path / "m.nii"
    assert scan.covariates == {"scanner": "Allegra"}


@pytest.mark.parametrize("column", ["site", "SITE", "SITE_ID", "institution_id"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_tables_are_read_as_programs_write_them(tmp_path, column, end, encoding, mark):
    rows = [("path", column), ("a.nii", "Zürich"), ("b.nii", "NYU")]
    text = "".join(mark.join(row) + end for row in rows)
    cohort = read_cohort(table(tmp_path, text, encoding=encoding))
    assert cohort.sites == ("NYU", "Zürich")


def test_missing_cells_are_nothing(tmp_path):
    text = "path\tsubject\tsite\tage\tsex\na.nii\tT1\tn/a\tNaN\t\n"
    scan = read_cohort(table(tmp_path, text, "c.tsv")).scans[0]
    assert (scan.site, scan.age, scan.sex) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,site\na.nii,A\n,B\n", "c.csv, row 3: path is empty"),
        ("path,site\na.nii\n", "row 2: 1 cells, but the header has 2"),
        ("path,age\na.nii,old\n", "row 2: age must be a number of years, got 'old'"),
        ("path,age\na.nii,-4\n", "row 2: age must be a number of years, got '-4'"),
        ("path,split\na.nii,tset\n", "row 2: unknown split 'tset'. Write train"),
        ("paht,site\na.nii,A\n", "no column 'path'.*Did you mean 'paht'"),
        ("path,Path\na.nii,A\n", "column 'path' occurs twice"),
        ("", "no header"),
        ("path,site\n", "no rows below the header"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_cohort(table(tmp_path, text))


def test_a_row_number_counts_the_lines_of_quoted_cells(tmp_path):
    text = 'path,note\na.nii,"two\nlines"\nb.nii\n'
    with pytest.raises(UserError, match="row 4: 1 cells"):
        read_cohort(table(tmp_path, text))


def test_latin_1_is_refused_by_name(tmp_path):
    path = table(tmp_path, "path,site\na.nii,Zürich\n", encoding="latin-1")
    with pytest.raises(UserError, match="not UTF-8"):
        read_cohort(path)


def test_site_from_names_a_column_of_the_table(tmp_path):
    path = table(tmp_path, "path,site,vendor\na.nii,A,GE\n")
    assert read_cohort(path, "vendor").sites == ("GE",)
    with pytest.raises(UserError, match="no column 'vender' for the site"):
        read_cohort(path, "vender")


def datalist(tmp_path, content):
    path = tmp_path / "list.json"
    path.write_text(json.dumps(content))
    return path


def test_a_datalist_gives_splits_where_it_has_several_sections(tmp_path):
    one = {"image": "a.nii", "site": "A", "fold": 0, "age": 30}
    content = {"training": [one], "validation": ["b.nii"], "name": "x", "labels": []}
    a, b = read_cohort(datalist(tmp_path, content)).scans
    assert (a.path, a.site, a.age, a.split) == (tmp_path / "a.nii", "A", 30, "train")
    assert a.covariates == {"fold": "0"}
    assert (b.subject, b.split) == ("b", "validation")
    assert read_cohort(datalist(tmp_path, {"training": [one]})).scans[0].split is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"training": [{"image": "a", "fold:": 0}]},
            r"training\[0\]: unknown key 'fold",
        ),
        ({"trianing": [{"image": "a"}]}, "section 'trianing'. Did you mean 'training'"),
        ({"training": [{"image": ["a", "b"]}]}, "'image' must be one path"),
        ({"training": [3]}, "must be an object with 'image', got 3"),
        ({"training": []}, "no items"),
        ({"training": [{"image": "a", "age": "x"}]}, r"training\[0\]: age must"),
        (3, "must be an object with 'training'"),
        ([{"image": "a", "subject": "\ud800"}], "'subject' holds a character that no"),
        ([{"image": "a", "group": "a\0"}], "'group' holds a character that no"),
    ],
)
def test_a_wrong_datalist_is_named_by_its_item(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        read_cohort(datalist(tmp_path, content))


def test_medvae_yaml_names_the_data_beside_it(tree):
    root = tree(
        {
            "medvae.yaml": "data: scans\nsite_from: session:^([A-Z]+)\n",
            "scans/sub-1/ses-NYU1/anat/sub-1_ses-NYU1_T1w.nii": "",
        }
    )
    assert read_cohort(root / "medvae.yaml").sites == ("NYU",)
    assert read_cohort(root / "medvae.yaml", "filename:ses-([A-Z]+1)").sites == (
        "NYU1",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dta: x", "unknown key 'dta'; known: data.*Did you mean 'data'"),
        ("data: [1]", "data: Input should be a valid string"),
        ("data: missing", "missing: not found"),
        ("- 3", "Write a line such as: data: my_bids"),
        ("data: medvae.yaml", "must not be another YAML"),
        ("a: [", "not readable YAML"),
    ],
)
def test_a_wrong_medvae_yaml_says_what_and_where(tree, text, message):
    root = tree({"medvae.yaml": text})
    with pytest.raises(UserError, match=message):
        read_cohort(root / "medvae.yaml")


def test_no_data_at_all_says_how_to_name_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"medvae.yaml not found.*data: my_bids"):
        read_cohort("medvae.yaml")
    with pytest.raises(UserError, match="no NIfTI file in it"):
        read_cohort(tmp_path)


def test_one_scan_is_not_a_cohort(tree):
    root = tree({"a.nii": ""})
    with pytest.raises(UserError, match="one scan, not a cohort"):
        read_cohort(root / "a.nii")


def test_empty_lines_between_rows_are_passed_over(tmp_path):
    text = "path,site\na.nii,A\n,\n  , \nb.nii,B\n"
    assert read_cohort(table(tmp_path, text)).sites == ("A", "B")


def test_a_bare_list_is_a_datalist_of_one_section(tmp_path):
    (scan,) = read_cohort(datalist(tmp_path, [{"image": "a.nii"}])).scans
    assert (scan.path, scan.split) == (tmp_path / "a.nii", None)


def test_site_from_overrides_the_site_of_a_datalist(tmp_path):
    item = {"image": "a.nii", "site": "A", "vendor": "GE"}
    path = datalist(tmp_path, {"training": [item]})
    assert read_cohort(path, "vendor").scans[0].site == "GE"


def test_a_sidecar_beside_a_scan_outside_the_list_s_folder_is_found(tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "a.json").write_text(
        json.dumps({"Manufacturer": "GE", "ManufacturersModelName": "Signa"})
    )
    path = datalist(tmp_path / "lists", [str(tmp_path / "a.nii")])
    assert read_cohort(path, "sidecar").scans[0].site == "GE_Signa"


@pytest.mark.parametrize("name", ["c.csv", "c.tsv"])
@pytest.mark.parametrize("sign", "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e")
def test_only_line_endings_end_a_row(tmp_path, name, sign):
    text = f"path,note,site\na.nii,one{sign}two,A\nb.nii,,B\n"
    found = read_cohort(table(tmp_path, text.replace(",", "\t"), name))
    assert found.sites == ("A", "B")
    assert found.scans[0].covariates == {"note": f"one{sign}two"}
