"""Half precision, extreme scales, strange heads: a right answer or a refusal."""

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bad_input import little_memory
from scan_bytes import AFFINE, head, scan
from tiny_fit import fitted_noise

import noise_models
from medvae.encoding.encoder import Encoder
from medvae.errors import UserError
from medvae.files import digest
from medvae.noise.scan import corrupt_scan
from medvae.volume import Grid, foreground_mask, prepare, read_volume
from medvae.volume.checks import check_scan

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from training_material import Waves, cohort, material, settings

from medvae.training.run import train

MODELS = [name for name in noise_models.names() if name != "scanner"]
GRID = Grid((16, 16, 16), (12.0, 12.0, 12.0))


def model(name):
    return noise_models.load(name)


def corrupted(noise, x, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return noise(x, rng=rng, spacing_mm=(2.0, 2.0, 2.0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", [*MODELS, "scanner"])
def test_another_precision_gives_the_same_corruption(name, dtype):
    noise = fitted_noise() if name == "scanner" else model(name)
    x = torch.rand(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(1))
    exact, rounded = corrupted(noise, x), corrupted(noise, x.to(dtype))
    assert rounded.dtype == dtype
    assert torch.isfinite(rounded).all()
    step = torch.finfo(dtype).eps
    apart = (rounded.double() - exact.double()).abs()
    close = apart <= 16 * step * exact.abs().max() + 1e-4
    assert close.double().mean() > 0.99  # a rounded voxel may fall on the other side


@pytest.mark.parametrize("value", [0.0, 1e-42, 1e-38, 1e-12, 1e-4, 1e4])
@pytest.mark.parametrize("name", [*MODELS, "scanner"])
def test_a_flat_volume_of_any_level_stays_finite(name, value):
    noise = fitted_noise() if name == "scanner" else model(name)
    y = corrupted(noise, torch.full((1, 1, 12, 12, 12), value))
    assert torch.isfinite(y).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", [*MODELS, "scanner"])
def test_the_brightest_of_half_precision_stays_finite(name, seed):
    x = torch.rand(2, 1, 12, 12, 12, generator=torch.Generator().manual_seed(1))
    noise = fitted_noise() if name == "scanner" else model(name)
    y = corrupted(noise, (x * 65504).half(), seed)
    assert torch.isfinite(y).all()


def test_the_brightest_scalp_of_half_precision_stays_finite():
    x = torch.zeros(1, 1, 24, 24)
    x[..., 8:, :] = 65504
    y = noise_models.get("scalp", ratio=1.5)(x.half(), rng=torch.Generator())
    assert torch.isfinite(y).all()
    assert y.max() == 65504


@pytest.mark.parametrize("name", [*MODELS, "scanner"])
def test_negative_intensities_stay_finite(name):
    noise = fitted_noise() if name == "scanner" else model(name)
    assert torch.isfinite(corrupted(noise, -torch.rand(1, 1, 12, 12, 12))).all()


def image(data):
    return nib.Nifti1Image(np.asarray(data, np.float32), AFFINE)


@pytest.mark.parametrize("scale", [1e-14, 1e-12, 1e-6, 1e6, 1e12])
def test_the_head_and_its_unit_do_not_depend_on_the_scale(scale):
    plain = prepare(read_volume(image(head())), GRID)
    scaled = prepare(read_volume(image(head() * scale)), GRID)
    assert np.array_equal(plain.mask, scaled.mask)
    assert scaled.reference == pytest.approx(plain.reference * scale, rel=1e-3)
    assert np.allclose(plain.image, scaled.image, atol=2e-3)


@pytest.mark.parametrize("scale", [1e-40, 1e-20, 1e17, 1e30])
def test_a_scale_beyond_computing_is_refused(scale):
    with pytest.raises(UserError, match=r"intensities up to .* outside"):
        prepare(read_volume(image(head() * scale)), GRID)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_codes_do_not_depend_on_the_scale(scale, run_folder):
    encoder = Encoder.load(run_folder)
    plain = encoder.encode(image(head()))
    scaled = encoder.encode(image(head() * scale))
    assert np.allclose(plain.mean, scaled.mean, atol=1e-3)


def test_dark_negative_noise_does_no_harm(run_folder):
    below = head() - 8  # as after a filter, or a baseline taken off
    latent = Encoder.load(run_folder).encode(image(below))
    assert np.isfinite(latent.mean).all()
    assert (prepare(read_volume(image(below)), GRID).image >= 0).all()


@pytest.mark.parametrize("voxels", [0, 1, 2, 8])
def test_a_head_of_few_voxels_is_refused_or_finite(voxels):
    data = np.zeros((20, 20, 20))
    data.reshape(-1)[4210 : 4210 + voxels] = 100
    try:
        ready = prepare(read_volume(image(data)), GRID)
    except UserError:
        return
    assert np.isfinite(ready.image).all()
    assert ready.reference > 0


def test_foreground_of_one_value_and_one_voxel_is_that_voxel_or_none():
    data = np.zeros((12, 12, 12))
    data[6, 6, 6] = 1.0
    assert foreground_mask(data, (3.0, 3.0, 3.0)).sum() <= 27


def test_a_header_of_nanometres_takes_no_memory(tmp_path):
    # Blocks of 3 mm would hold 300,000 voxels along an axis of 24; found by fuzzing.
    path = tmp_path / "a.nii"
    path.write_bytes(scan(affine=np.diag([8.0, 8.0, 1e-5, 1.0])))
    with little_memory():
        told = [str(problem) for problem in check_scan(path)]
    assert any("voxel size (8.0, 8.0, 0.0) mm" in one for one in told)


def test_a_corrupted_scan_of_any_scale_is_finite(tmp_path):
    for i, scale in enumerate((1e-12, 1.0, 1e12)):
        path = tmp_path / f"{i}.nii"
        nib.save(image(head() * scale), path)
        _, noisy = corrupt_scan(noise_models.get("rician", sigma=0.05), path)
        data = np.asarray(noisy.dataobj)
        assert np.isfinite(data).all()
        assert data.max() == pytest.approx(108 * scale, rel=0.3)


HALF = ("precision=bf16-mixed", "optimiser.epochs=8")


def half(folder, **options):
    noise = noise_models.get("rician", sigma=0.1)
    return train(settings(*HALF), cohort(), material(), noise, folder, **options)


def test_half_precision_learns_and_stays_finite(tmp_path):
    run = half(tmp_path / "run")
    told = (run / "metrics.jsonl").read_text().splitlines()
    bounds = [json.loads(line)["train_bound"] for line in told]
    assert np.mean(bounds[4:]) > np.mean(bounds[:4])
    state = Encoder.load(run).vae.state_dict()
    assert all(value.dtype == torch.float32 for value in state.values())
    assert all(torch.isfinite(value).all() for value in state.values())
    exact = train(
        settings(*HALF[1:]),
        cohort(),
        material(),
        noise_models.get("rician", sigma=0.1),
        tmp_path / "exact",
    )
    assert digest(exact / "model.safetensors") != digest(run / "model.safetensors")


def test_half_precision_ends_alike_after_an_interruption(tmp_path):
    def interrupt(done, total, label):
        if done > total // 2 + 1:
            raise KeyboardInterrupt

    whole = half(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        half(tmp_path / "broken", progress=interrupt)
    resumed = half(tmp_path / "broken", resume=True)
    assert digest(resumed / "model.safetensors") == digest(whole / "model.safetensors")


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_float16_on_the_cpu_is_refused_and_not_replaced(device, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    noise = noise_models.get("rician", sigma=0.1)
    config = settings("precision=16-mixed", f"device={device}")
    with pytest.raises(UserError, match=r"16-mixed needs a GPU.*Choose bf16-mixed"):
        train(config, cohort(), material(), noise, tmp_path / "run")


class Broken(Waves):
    def __init__(self, bad):
        self.bad = bad

    def image(self, index):
        return super().image(index) * (float("inf") if index == self.bad else 1)


@pytest.mark.parametrize(("bad", "name"), [(3, "B/s3"), (8, "A/s8")])
def test_a_loss_that_is_not_finite_names_its_scans(bad, name, tmp_path):
    stuff = material()  # scans 6 to 9 are for validation
    broken = type(stuff)(stuff.scans, Broken(bad), stuff.splits, {})
    noise = noise_models.get("rician", sigma=0.1)
    with pytest.raises(UserError, match=f"loss is nan .*{name}"):
        train(settings(), cohort(), broken, noise, tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "options"),
    [("contrast", {"strength": 200.0}), ("rician", {"sigma": 1e38})],
)
def test_a_noise_that_is_not_finite_is_named(name, options, tmp_path):
    noise = noise_models.get(name, **options)
    with pytest.raises(UserError, match=rf"^{name} makes voxels that are not .*A/s"):
        train(settings(), cohort(), material(), noise, tmp_path / "run")
    nib.save(image(head()), tmp_path / "a.nii")
    with pytest.raises(UserError, match=rf"a\.nii: {name} makes voxels that are not f"):
        corrupt_scan(noise, tmp_path / "a.nii")


def test_a_code_that_is_not_finite_names_its_scan(run_folder, tmp_path):
    encoder = Encoder.load(run_folder)
    with torch.no_grad():
        next(encoder.vae.encoder.parameters()).fill_(float("inf"))
    nib.save(image(head()), tmp_path / "a.nii")
    with pytest.raises(UserError, match=r"a\.nii: its code is not finite"):
        encoder.encode(tmp_path / "a.nii")


def test_one_scan_a_site_cannot_be_fitted():
    from noise_models.scanner import fit

    rng = np.random.default_rng(0)
    scans = {
        site: [(head((24, 24, 24)) + rng.normal(0, 1, (24, 24, 24)), (8.0, 8.0, 8.0))]
        for site in "AB"
    }
    with pytest.raises(ValueError, match=r"two|2|least"):
        fit(scans)


def test_one_scan_a_site_can_be_trained_on(tmp_path):
    noise = noise_models.get("rician", sigma=0.1)
    config = settings("optimiser.epochs=1")
    two = material(6)
    run = train(config, cohort(6), two, noise, tmp_path / "run")
    assert Encoder.load(run).sites == ("A", "B")
