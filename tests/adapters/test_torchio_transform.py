"""Corruption models in TorchIO's own pipelines, on TorchIO's own dummy data."""

import sys

import pytest
import torch
from fitted_noise import change, fitted_noise

import noise_models
from noise_models import adapters

tio = pytest.importorskip("torchio", reason="the extra 'torchio' is not installed")

from noise_models.adapters.torchio import Corruption, RandomCorruption  # noqa: E402

RICIAN = noise_models.get("rician", sigma=0.1)


def subject(level=1.0, spacing=1.0):
    affine = torch.eye(4).numpy() * spacing
    return tio.Subject(
        t1=tio.ScalarImage(tensor=level * torch.ones(1, 16, 16, 16), affine=affine),
        label=tio.LabelMap(tensor=torch.ones(1, 16, 16, 16), affine=affine),
        white=level,
    )


@pytest.mark.parametrize("name", sorted(set(noise_models.names()) - {"scanner"}))
def test_every_model_runs_in_a_torchio_compose(name):
    pipeline = tio.Compose(
        [
            tio.RescaleIntensity((0, 1)),
            RandomCorruption(noise_models.load(name)),
            tio.RandomFlip(),
        ]
    )
    image = tio.ScalarImage(tensor=torch.rand(1, 16, 18, 14))
    out = pipeline(tio.Subject(t1=image)).t1.data
    assert out.shape == (1, 16, 18, 14)
    assert torch.isfinite(out).all()


def test_history_gives_the_same_voxels_again():
    clean = subject()
    noisy = tio.Compose([RandomCorruption(RICIAN)])(clean)
    again = noisy.get_composed_history()(clean)
    assert torch.equal(noisy.t1.data, again.t1.data)
    assert not torch.equal(noisy.t1.data, RandomCorruption(RICIAN)(clean).t1.data)


def test_torch_s_seed_decides_as_for_every_torchio_transform():
    drawn = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        drawn.append(RandomCorruption(RICIAN)(subject()).t1.data)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_labels_and_the_input_stay_as_they_were():
    clean = subject()
    noisy = RandomCorruption(RICIAN)(clean)
    assert torch.equal(noisy.label.data, clean.label.data)
    assert torch.equal(clean.t1.data, torch.ones(1, 16, 16, 16))


@pytest.mark.parametrize("reference", [600.0, "white", torch.max])
def test_the_reference_is_the_unit(reference):
    noisy = RandomCorruption(RICIAN, reference)(subject(600.0))
    assert noisy.t1.data.std().item() == pytest.approx(60, rel=0.05)


def test_a_fitted_noise_looks_at_the_site_under_its_key():
    corrupt = tio.Compose([RandomCorruption(fitted_noise(), source_key="site")])
    changes = {}
    for site in "AB":
        clean = tio.Subject(**subject(), site=site)
        noisy = corrupt(clean)
        changes[site] = change(noisy.t1.data, clean.t1.data)
        assert torch.equal(noisy.get_composed_history()(clean).t1.data, noisy.t1.data)
    assert changes["A"] == pytest.approx((0.10**2 - 0.03**2) ** 0.5, rel=0.1)
    assert changes["B"] < 0.2 * changes["A"]


def test_a_subject_without_the_source_key_is_an_error():
    with pytest.raises(KeyError, match="typo"):
        RandomCorruption(RICIAN, source_key="typo")(subject())


def test_voxel_sizes_are_used():
    blur = noise_models.get("blur", fwhm_mm=6.0)
    torch.manual_seed(0)
    x = torch.rand(1, 16, 16, 16)
    fine, coarse = (
        Corruption(blur)(tio.ScalarImage(tensor=x, affine=torch.eye(4).numpy() * size))
        for size in (1.0, 6.0)
    )
    assert fine.data.std() < 0.5 * coarse.data.std()


def test_it_corrupts_a_data_set_from_torchio_s_own_dummies(tmp_path):
    made = tio.utils.create_dummy_dataset(
        num_images=2, size_range=(10, 12), directory=tmp_path, verbose=False
    )
    data = tio.SubjectsDataset(made, transform=RandomCorruption(RICIAN, torch.max))
    for one, before in zip(data, made, strict=True):
        image = one.get_images(intensity_only=True)[0]
        old = before.get_images(intensity_only=True)[0]
        assert image.shape == old.shape
        assert not torch.equal(image.data, old.data.float())


def test_p_is_the_share_of_subjects_corrupted():
    torch.manual_seed(0)
    corrupt = RandomCorruption(RICIAN, p=0.3)
    changed = [bool((corrupt(subject()).t1.data != 1).any()) for _ in range(200)]
    assert sum(changed) / 200 == pytest.approx(0.3, abs=0.1)


def test_without_torchio_the_extra_is_named(monkeypatch):
    monkeypatch.delattr(adapters, "torchio")
    monkeypatch.delitem(sys.modules, "noise_models.adapters.torchio")
    monkeypatch.setitem(sys.modules, "torchio", None)
    remedy = r"need the extra 'torchio': pip install 'medvae-denoise\[torchio\]'\.$"
    with pytest.raises(ImportError, match=remedy):
        from noise_models.adapters.torchio import RandomCorruption  # noqa: F401


def test_a_subject_of_labels_alone_is_left_as_it_is():
    only = tio.Subject(label=tio.LabelMap(tensor=torch.ones(1, 8, 8, 8)))
    out = RandomCorruption(RICIAN)(only)
    assert torch.equal(out.label.data, only.label.data)
