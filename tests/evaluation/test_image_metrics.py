import numpy as np
import pytest
import torch
from monai.metrics import PSNRMetric, SSIMMetric
from scipy.stats import laplace, norm

from medvae.evaluation.reconstruction import bits_per_voxel, psnr, ssim, z_scored_error


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    x = rng.random((16, 14, 12))
    return x + rng.normal(0, 0.1, x.shape), x


def test_psnr_is_monais_when_the_mask_is_the_whole_image(pair):
    theirs = PSNRMetric(max_val=1.0)(*(torch.tensor(v)[None, None] for v in pair))
    assert psnr(*pair, np.ones(pair[0].shape, bool)) == pytest.approx(float(theirs))


def test_ssim_is_monais_when_the_mask_is_the_whole_image(pair):
    metric = SSIMMetric(3, data_range=1.0, win_size=7, kernel_sigma=1.5)
    theirs = metric(*(torch.tensor(v)[None, None] for v in pair))
    ours = ssim(*pair, np.ones(pair[0].shape, bool))
    assert ours == pytest.approx(float(theirs), abs=1e-6)


def test_ssim_of_a_mask_is_the_same_whether_or_not_the_rest_is_far_away(pair):
    mask = np.zeros(pair[0].shape, bool)
    mask[5:9, 5:9, 5:9] = True
    spoiled = pair[0].copy()
    spoiled[13:] = 99.0
    assert ssim(spoiled, pair[1], mask) == pytest.approx(ssim(*pair, mask))


def test_voxels_outside_the_mask_do_not_count(pair):
    mask = np.zeros(pair[0].shape, bool)
    mask[:8] = True
    spoiled = pair[0].copy()
    spoiled[8:] = 99.0
    assert psnr(spoiled, pair[1], mask) == psnr(*pair, mask)
    assert z_scored_error(spoiled, pair[1], mask) == z_scored_error(*pair, mask)


def test_z_scored_error_is_the_squared_error_after_z_scoring_with_the_target(pair):
    image, target = pair
    z = [(v - target.mean()) / target.std() for v in pair]
    expected = np.mean((z[0] - z[1]) ** 2)
    assert z_scored_error(image, target, target > -1) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "density"), [("gaussian", norm), ("laplace", laplace)]
)
def test_bits_are_the_log_likelihood_and_the_kl(name, density, pair):
    image, target = pair
    nats = -density.logpdf(target, image, 0.2).sum() + 37.0
    expected = nats / np.log(2) / target.size
    assert bits_per_voxel(image, target, name, 0.2, 37.0) == pytest.approx(expected)


def test_an_empty_mask_is_refused(pair):
    with pytest.raises(ValueError, match="mask is empty"):
        psnr(*pair, np.zeros(pair[0].shape, bool))


def test_a_constant_target_has_no_variance_to_judge_by():
    with pytest.raises(ValueError, match="constant inside the mask"):
        z_scored_error(np.zeros((3, 3)), np.ones((3, 3)), np.ones((3, 3), bool))
