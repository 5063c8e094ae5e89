"""Corruption models in MONAI's own pipelines, on MONAI's own test images."""

import pickle

import nibabel as nib
import numpy as np
import pytest
import torch
from fitted_noise import change, fitted_noise
from monai.data import DataLoader, Dataset, MetaTensor, create_test_image_3d
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    RandAffined,
    ScaleIntensityd,
)

import noise_models
from noise_models.adapters.monai import Corruptd

RICIAN = noise_models.get("rician", sigma=0.1)


def monai_image():
    image, _ = create_test_image_3d(32, 34, 30, num_objs=4, rad_max=8)
    return image.astype(np.float32)


@pytest.mark.parametrize("name", sorted(set(noise_models.names()) - {"scanner"}))
def test_every_model_runs_in_a_monai_compose(name, tmp_path):
    nib.save(
        nib.Nifti1Image(monai_image(), np.diag([2.0, 2, 3, 1])), tmp_path / "a.nii"
    )
    pipeline = Compose(
        [
            LoadImaged("image"),
            EnsureChannelFirstd("image"),
            ScaleIntensityd("image"),
            Corruptd("image", noise_models.load(name)),
            RandAffined("image", prob=1.0, rotate_range=0.1, padding_mode="border"),
        ]
    ).set_random_state(0)
    image = pipeline({"image": tmp_path / "a.nii"})["image"]
    assert isinstance(image, MetaTensor)
    assert image.shape == (1, 32, 34, 30)
    assert torch.isfinite(image).all()


def test_the_random_state_of_the_compose_decides():
    pipeline = Compose([Corruptd("image", RICIAN)])
    sample = {"image": torch.from_numpy(monai_image())[None]}
    first, again, other = (
        pipeline.set_random_state(seed)(sample)["image"] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_voxel_size_and_affine_of_a_metatensor_are_kept_and_used():
    blur = noise_models.get("blur", fwhm_mm=6.0)
    x = torch.from_numpy(monai_image())[None]
    fine, coarse = (
        Corruptd("image", blur)({"image": MetaTensor(x, affine=torch.eye(4) * size)})
        for size in (1.0, 6.0)
    )
    assert torch.equal(coarse["image"].affine, torch.eye(4, dtype=torch.float64) * 6)
    assert fine["image"].std() < 0.8 * coarse["image"].std()


def test_each_key_has_noise_of_its_own_and_the_input_stays():
    x = torch.ones(1, 16, 16, 16)
    noisy = Corruptd(["a", "b"], RICIAN)({"a": x, "b": x})
    assert torch.equal(x, torch.ones_like(x))
    pair = torch.stack([noisy["a"].ravel() - 1, noisy["b"].ravel() - 1])
    assert abs(torch.corrcoef(pair)[0, 1]) < 0.1


@pytest.mark.parametrize("reference", [600.0, "white", torch.max])
def test_the_reference_is_the_unit(reference):
    x = torch.full((1, 16, 16, 16), 600.0)
    noisy = Corruptd("image", RICIAN, reference)({"image": x, "white": 600.0})
    assert noisy["image"].std().item() == pytest.approx(60, rel=0.05)


def test_a_fitted_noise_looks_at_the_site_under_its_key():
    x = torch.ones(1, 24, 24, 24)
    corrupt = Compose([Corruptd("image", fitted_noise(), source_key="site")])
    corrupt = pickle.loads(pickle.dumps(corrupt)).set_random_state(0)
    of_a, of_b = (
        change(corrupt({"image": MetaTensor(x), "site": site})["image"], x)
        for site in "AB"
    )
    assert of_a == pytest.approx(np.sqrt(0.10**2 - 0.03**2), rel=0.1)
    assert of_b < 0.2 * of_a


def test_a_sample_without_the_source_key_is_an_error():
    corrupt = Corruptd("image", RICIAN, source_key="typo")
    with pytest.raises(KeyError, match="typo"):
        corrupt({"image": torch.ones(1, 4, 4, 4), "site": "A"})


def test_prob_is_the_share_of_samples_corrupted():
    corrupt = Corruptd("image", RICIAN, prob=0.3).set_random_state(0)
    x = torch.ones(1, 4, 4, 4)
    changed = [not torch.equal(corrupt({"image": x})["image"], x) for _ in range(300)]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.08)


def test_workers_of_a_loader_draw_differently():
    data = Dataset([{"image": torch.ones(1, 8, 8, 8)}] * 4, Corruptd("image", RICIAN))
    batches = list(DataLoader(data, batch_size=1, num_workers=2))
    flat = torch.cat([batch["image"] for batch in batches]).flatten(1)
    assert len(torch.unique(flat[:, 0])) == 4


def test_it_crosses_process_borders_and_refuses_no_unit():
    again = pickle.loads(pickle.dumps(Corruptd("image", RICIAN)))
    assert again.noise == RICIAN
    with pytest.raises(ValueError, match=r"reference must be positive, got 0\.0"):
        Corruptd("image", RICIAN, 0.0)({"image": torch.ones(1, 4, 4, 4)})
