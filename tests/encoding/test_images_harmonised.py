"""Harmonised scans keep their own detail; only what the sites differ in is changed."""

import copy
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medvae.cohort import Scan, read_cohort
from medvae.encoding import Encoder, repainting
from medvae.encoding.folder import Item
from medvae.encoding.harmonised import Harmonised, read_index, write_index
from medvae.encoding.images import harmonize_files
from medvae.errors import UserError
from medvae.volume import read_volume
from medvae.volume.foreground import foreground_mask

AFFINE = np.array([[-3.0, 0, 0, 60], [0, 0, 3, -50], [0, 3, 0, -55], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def encoder(untrained):
    return Encoder(untrained())


@pytest.fixture(scope="module")
def scan():
    rng = np.random.default_rng(0)
    ball = np.linalg.norm(np.indices((40, 36, 40)) - 19.0, axis=0) < 15
    voxels = ball * (600 + 100 * rng.standard_normal(ball.shape))
    return nib.Nifti1Image(np.maximum(voxels, 0).astype(np.float32), AFFINE)


def head_of(scan):
    volume = read_volume(scan)
    return volume.source.restore(foreground_mask(volume.data, volume.spacing_mm))


def test_to_the_site_that_made_it_a_scan_stays_what_it_is(encoder, scan):
    same = encoder.harmonize(scan, "A", made_at="A")
    np.testing.assert_array_equal(same.get_fdata(), scan.get_fdata())
    np.testing.assert_array_equal(same.affine, scan.affine)
    assert same.get_data_dtype() == np.float32


@pytest.mark.parametrize("made_at", ["A", None])
def test_with_all_detail_a_scan_is_changed_by_the_difference_of_two_decodings(
    encoder, scan, made_at
):
    latent = encoder.encode(scan)
    as_b, as_it_was = (encoder.decode(latent, s).get_fdata() for s in ("B", made_at))
    want = np.maximum(scan.get_fdata() + as_b - as_it_was, 0)
    found = encoder.harmonize(scan, "B", made_at=made_at).get_fdata()
    assert np.abs(as_b - as_it_was).max() > 1
    head = head_of(scan)
    np.testing.assert_allclose(found[head], want[head], rtol=1e-5, atol=0.01)


def test_without_detail_the_image_is_painted_from_the_code_alone(encoder, scan):
    want = encoder.decode(encoder.encode(scan), "B").get_fdata()
    found = encoder.harmonize(scan, "B", detail=False).get_fdata()
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize(("detail", "made_at"), [(True, "A"), (False, None)])
def test_files_are_changed_as_images_are(encoder, scan, tmp_path, detail, made_at):
    path, out = tmp_path / "scan.nii.gz", tmp_path / "out.nii.gz"
    nib.save(scan, path)
    how = {"made_at": made_at, "detail": detail}
    (row,), problems = harmonize_files(encoder, [Item(path)], [out], "B", **how)
    assert not problems
    assert row.changed
    assert (row.source, row.known_from) == (
        (made_at, "given") if detail else ("", "none")
    )
    want = encoder.harmonize(path, "B", **how)
    np.testing.assert_array_equal(nib.load(out).get_fdata(), want.get_fdata())


def test_an_origin_that_would_change_nothing_is_refused(encoder, scan):
    with pytest.raises(ValueError, match="made_at='A' changes nothing"):
        encoder.harmonize(scan, "B", made_at="A", detail=False)


def test_an_unknown_site_is_refused_though_the_scan_is_said_to_come_from_it(
    encoder, scan
):
    with pytest.raises(UserError, match="'C' is not among the training sites"):
        encoder.harmonize(scan, "C", made_at="C")


def test_a_scan_that_went_away_stops_no_other(encoder, scan, tmp_path, monkeypatch):
    paths = [tmp_path / f"{k}.nii.gz" for k in range(2)]
    for path in paths:
        nib.save(scan, path)
    read = repainting.read_volume

    def gone(path):
        if path == paths[0]:
            raise UserError(f"{path}: not found")
        return read(path)

    monkeypatch.setattr(repainting, "read_volume", gone)
    targets = [tmp_path / f"as_b_{k}.nii.gz" for k in range(2)]
    items = [Item(path) for path in paths]
    rows, problems = harmonize_files(encoder, items, targets, "B", jobs=0)
    assert [row.original for row in rows] == [paths[1]]
    assert problems == [f"{paths[0]}: not found"]
    assert [target.exists() for target in targets] == [False, True]


def test_an_unknown_site_is_refused_before_any_work(encoder, tmp_path):
    with pytest.raises(UserError, match="C"):
        harmonize_files(
            encoder, [Item(tmp_path / "x.nii")], [tmp_path / "y"], "A", made_at="C"
        )


@pytest.mark.parametrize("site", ["A", "B"])
def test_a_training_site_named_by_the_data_is_the_source(encoder, scan, tmp_path, site):
    path, out = tmp_path / "scan.nii.gz", tmp_path / "out.nii.gz"
    nib.save(scan, path)
    (row,), _ = harmonize_files(encoder, [Item(path, site=site)], [out], "B")
    want = encoder.harmonize(path, "B", made_at=site)
    np.testing.assert_array_equal(nib.load(out).get_fdata(), want.get_fdata())
    assert (row.source, row.known_from, row.changed) == (site, "data", site == "A")


def test_a_scan_of_an_unseen_site_is_changed_whatever_it_looks_like(
    encoder, scan, tmp_path
):
    path = tmp_path / "scan.nii.gz"
    nib.save(scan, path)
    for to in ("A", "B"):
        out = tmp_path / f"as_{to}.nii.gz"
        (row,), _ = harmonize_files(encoder, [Item(path, site="C")], [out], to)
        assert (row.source, row.known_from, row.changed) == ("", "unknown", True)
        want = encoder.harmonize(path, to)
        np.testing.assert_array_equal(nib.load(out).get_fdata(), want.get_fdata())


def test_without_any_detail_a_scan_becomes_the_painting_of_its_code(encoder, scan):
    encoder = copy.deepcopy(encoder)
    encoder.vae.detail.zero_()
    latent, volume = encoder.encode(scan), read_volume(scan)
    place, unit = latent.placement, latent.reference
    lacking = encoder.paint(latent, "B") - place.to_grid(volume.data) / unit
    want = np.maximum(volume.data + place.to_native(lacking) * unit, 0)
    found = encoder.harmonize(scan, "B").get_fdata()
    head = head_of(scan)
    want = latent.source.restore(want)
    np.testing.assert_allclose(found[head], want[head], atol=0.01)
    assert np.abs(found - scan.get_fdata()).max() > 100


def row(name, source="A", basis="data", **labels):
    return Harmonised(
        f"{name}.nii.gz",
        Path(f"{name}.nii"),
        source,
        basis,
        "B",
        changed=True,
        **labels,
    )


def test_the_table_of_harmonised_scans_grows_with_every_call(tmp_path):
    write_index(tmp_path, [row("a", site="A"), row("b", "", "unknown", site="C")])
    write_index(tmp_path, [row("b", basis="given", site="C", more={"age": "7"})])
    rows = {found["path"]: found for found in read_index(tmp_path)}
    assert list(rows) == ["a.nii.gz", "b.nii.gz"]
    assert [rows[name]["age"] for name in rows] == ["", "7"]
    assert [rows[name]["known_from"] for name in rows] == ["data", "given"]
    assert {found["changed"] for found in rows.values()} == {"yes"}


def test_the_table_of_harmonised_scans_is_a_cohort_of_them(tmp_path):
    scan = Scan(Path("in/a.nii"), "01", "C", "2", 34.5, "F", None, "test", {"iq": "99"})
    known = Item.of(scan)
    out = tmp_path / "out"
    labels = {"subject": "01", "session": "2", "site": "C", "more": known.more}
    write_index(out, [row("a", **labels)])
    (found,) = read_cohort(out / "index.tsv").scans
    assert found.path == out / "a.nii.gz"
    same = ("subject", "site", "session", "age", "sex", "split")
    assert all(getattr(found, name) == getattr(scan, name) for name in same)
    assert found.covariates["iq"] == "99"
    original = out / found.covariates["original"]
    assert original.resolve() == Path("a.nii").resolve()


def test_images_harmonised_again_keep_one_row_of_their_own(tmp_path):
    write_index(tmp_path, [row("a", more={"Source": "old", "iq": "99"})])
    (found,) = read_index(tmp_path)
    assert (found["source"], found["iq"], "Source" in found) == ("A", "99", False)


def test_one_column_in_two_spellings_is_one(tmp_path):
    write_index(tmp_path, [row("a", subject="1", more={"IQ": "99"})])
    write_index(tmp_path, [row("b", subject="2", more={"iq": "98"})])
    scans = read_cohort(tmp_path / "index.tsv").scans
    assert [scan.covariates["IQ"] for scan in scans] == ["99", "98"]


@pytest.mark.parametrize("text", ["", "name\tpath\n", "file\n\x00", '"'])
def test_another_table_is_not_written_over(tmp_path, text):
    (tmp_path / "index.tsv").write_text(text)
    with pytest.raises(UserError, match="not a table of harmonised scans"):
        write_index(tmp_path, [row("a")])
    assert (tmp_path / "index.tsv").read_text() == text
