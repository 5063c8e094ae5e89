"""LatentEncoder is a scikit-learn transformer by scikit-learn's own checks."""

import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator
from small_encoder import head_image, small_encoder

from medvae.encoding import Encoder
from medvae.errors import UserError
from medvae.model.weights import save_model
from medvae.sklearn import LatentEncoder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    save_model(small_encoder().vae, folder)
    return folder


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Ten heads whose dark core grows with y."""
    folder, paths = tmp_path_factory.mktemp("scans"), []
    for i in range(10):
        image = head_image(shape=(30, 34, 32), seed=i)
        data = np.asarray(image.dataobj).copy()
        data[15 - i : 16 + i, 14:20, 13:19] = 30
        paths.append(folder / f"{i}.nii.gz")
        nib.save(nib.Nifti1Image(data, image.affine), paths[-1])
    return paths


def test_check_estimator_finds_no_fault(run):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that X is no array of numbers
        results = check_estimator(LatentEncoder(run), on_fail=None)
    assert [r["check_name"] for r in results if r["status"] == "failed"] == []


@pytest.mark.parametrize(
    "name",
    [  # those that check_estimator leaves out for input that is not numbers
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_get_params_invariance",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_valid_tag_types",
        "check_mixin_order",
    ],
)
def test_each_check_that_needs_no_numbers_passes(run, name):
    getattr(estimator_checks, name)("LatentEncoder", LatentEncoder(run))


def test_a_pipeline_cross_validates_and_beats_the_mean(run, scans):
    y, people = np.arange(10.0), np.arange(10) // 2
    folds = GroupKFold(5)
    options = {"groups": people, "cv": folds}
    ridge = make_pipeline(LatentEncoder(run), Ridge())
    guessed = cross_val_predict(ridge, scans, y, **options)
    dummy = cross_val_predict(DummyRegressor(), np.zeros((10, 1)), y, **options)
    assert np.abs(guessed - y).mean() < 0.5 * np.abs(dummy - y).mean()


def test_folds_encode_each_scan_once(run, scans, monkeypatch):
    seen = []
    encode = Encoder.encode

    def counted(self, scan, **options):
        seen.append(scan)
        return encode(self, scan, **options)

    monkeypatch.setattr(Encoder, "encode", counted)
    rows = [p.rename(p.with_name(f"again-{p.name}")) for p in scans[:2]]
    for _ in range(3):
        clone(LatentEncoder(run)).fit(rows).transform(rows)
    assert len(seen) == 2
    for new, old in zip(rows, scans, strict=False):
        new.rename(old)


def test_rows_are_the_encoder_s_vectors_however_paths_are_carried(run, scans):
    model = LatentEncoder(run).fit(scans)
    expected = np.stack([Encoder.load(run).encode(p).vector for p in scans[:3]])
    frame = pd.DataFrame({"path": scans[:3], "age": [1, 2, 3]})
    column = np.array([str(p) for p in scans[:3]])[:, None]
    for given in (scans[:3], frame, frame[["path"]], column, list(map(str, scans[:3]))):
        assert np.array_equal(model.transform(given), expected)


def test_pandas_output_names_its_columns(run, scans):
    model = LatentEncoder(run).set_output(transform="pandas").fit(scans)
    frame = model.transform(scans[:2])
    assert list(frame.columns[:2]) == ["latentencoder0", "latentencoder1"]
    assert frame.shape == (2, 2 * 6**3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], r"one a scan, got 1\.0"),
        ("scan.nii.gz", "list of paths, got 'scan.nii.gz'"),
        ([], r"got shape \(0,\)"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "column 'path' is required"),
    ],
)
def test_what_is_no_list_of_paths_is_refused(run, given, message):
    with pytest.raises(UserError, match=message):
        LatentEncoder(run).fit(given)


def test_a_missing_scan_is_named(run, scans):
    with pytest.raises(UserError, match=r"gone\.nii: No such file"):
        LatentEncoder(run).fit(scans).transform(["gone.nii"])
