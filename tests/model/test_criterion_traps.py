"""The twelve traps of the denoising criterion, each by its number.

What trains and stores runs is tested where it lives; here is what a wrong criterion,
corruption or decoder would do, and that ours does not.
"""

import math
import sys
from pathlib import Path

import pytest
import torch

import noise_models
from medvae.model.likelihood import Bernoulli, Gaussian
from medvae.model.nll import importance_nll
from medvae.model.objective import diwae, dvae, invariance, pairwise, sivi
from medvae.model.posterior import Posterior
from medvae.training.module import DenoisingTraining
from medvae.training.run import grid_of, network_of

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from linear_gaussian import LinearGaussian, rng_of, standard_error
from training_material import material, settings

GOLDEN = LinearGaussian()
FAMILY = [
    (dvae, {}),
    (sivi, {}),
    (diwae, {"weighting": "mixture"}),
    (invariance, {"lam": 1.0}),
]


@pytest.mark.parametrize(("objective", "options"), FAMILY)
def test_trap_01_target_and_corruptions_are_bit_identical_afterwards(
    objective, options
):
    x = GOLDEN.draw(20, rng_of(0))
    y = GOLDEN.corrupt(x, 3, rng_of(1))
    before = x.clone(), y.clone()
    objective(x, y, GOLDEN.encode, GOLDEN.log_likelihood, rng_of(2), **options)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


@pytest.mark.parametrize(("objective", "options"), FAMILY)
def test_trap_02_the_encoder_sees_the_corruption_and_the_decoder_the_clean_scan(
    objective, options
):
    x, y = torch.full((4, 2), 7.0), torch.full((2, 4, 2), 3.0)

    def encode(seen):
        assert (seen == 3).all()
        return Posterior(seen, torch.zeros_like(seen))

    def likelihood(target, z):
        assert (target == 7).all()
        return 0 * z.sum(1)

    bound = objective(x, y, encode, likelihood, rng_of(0), **options)
    if objective is dvae:
        assert bound.kl.tolist() == [9.0] * 4  # of N(3, 1), not of N(7, 1)


class Recorder:
    """Stands for the objective: keeps what training hands to it."""

    def __init__(self):
        self.calls = []

    def __call__(self, x, corrupted, encode, log_likelihood, rng):
        self.calls.append(
            (x, corrupted, [torch.randn(1, generator=own).item() for own in rng])
        )
        return dvae(x, corrupted, encode, log_likelihood, rng)


def step(*overrides, noise=None, epoch=0, scans=(0, 1)):
    """One training step; (x, corrupted, a number of its generator)."""
    config = settings(*overrides)
    stuff = material()
    entries = stuff.entries("train", ())
    from medvae.model.network import DenoisingVAE

    torch.manual_seed(0)
    vae = DenoisingVAE(network_of(config, ("A", "B")))
    model = noise or noise_models.get("rician", sigma=(0.05, 0.1))
    module = DenoisingTraining(vae, model, config, entries, [])
    module.objective = Recorder()
    images = [torch.from_numpy(stuff.volumes.image(entries[i].index)) for i in scans]
    batch = {"image": torch.stack(images)[:, None], "entry": torch.tensor(scans)}
    module.bound(batch, "train", epoch)
    return module.objective.calls[0]


def test_trap_03_corruption_and_codes_are_fresh_at_every_epoch():
    _, first, code = step(epoch=0)
    _, later, other = step(epoch=1)
    assert not torch.equal(first, later)
    assert code != other


def test_trap_04_corruption_depends_on_seed_epoch_and_scan_alone():
    _, together, _ = step(scans=(0, 1))
    _, alone, _ = step(scans=(1,))
    _, again, _ = step(scans=(0, 1))
    _, reseeded, _ = step("seed=1", scans=(0, 1))
    assert torch.equal(together[:, 1], alone[:, 0])
    assert torch.equal(together, again)
    assert not torch.equal(together, reseeded)


def test_trap_05_a_fixed_scale_of_one_collapses_where_a_learned_one_does_not():
    rng = rng_of(0)
    code = torch.randn(400, 1, generator=rng)
    x = 0.25 * code + 0.05 * torch.randn(400, 4, generator=rng)  # of unit range

    def kl_after_training(likelihood):
        torch.manual_seed(0)
        encoder, decoder = torch.nn.Linear(4, 2), torch.nn.Linear(1, 4)
        parts = torch.nn.ModuleList([encoder, decoder, likelihood])
        optimiser = torch.optim.Adam(parts.parameters(), lr=0.02)
        for _ in range(1500):
            bound = dvae(
                x,
                x[None],
                lambda y: Posterior(*encoder(y).chunk(2, 1)),
                lambda target, z: likelihood(target, decoder(z)),
                rng,
            )
            optimiser.zero_grad()
            (-bound.value.mean()).backward()
            optimiser.step()
        return bound.kl.mean().item()

    assert kl_after_training(Gaussian(scale=1.0, fixed=True)) < 0.05
    # Signal 0.25 in noise 0.05 / sqrt(4): the exact posterior is worth log(10) nats.
    assert kl_after_training(Gaussian()) == pytest.approx(math.log(10), rel=0.15)


def test_trap_05_the_scale_s_own_term_is_kept():
    x = torch.zeros(1, 10)
    wide, narrow = Gaussian(scale=1.0)(x, x), Gaussian(scale=0.1)(x, x)
    assert (narrow - wide).item() == pytest.approx(10 * math.log(10), rel=1e-5)
    assert wide.item() == pytest.approx(-5 * math.log(2 * math.pi), rel=1e-5)


def test_trap_06_bernoulli_on_grey_levels_is_no_likelihood():
    # The formula integrates to less than one over grey levels, so it is refused.
    grey = torch.linspace(0, 1, 1001)
    logit = torch.tensor(2.0)
    formula = torch.exp(grey * logit - torch.nn.functional.softplus(logit))
    assert formula.mean().item() == pytest.approx(0.38, abs=0.01)
    with pytest.raises(ValueError, match="Binarise them"):
        Bernoulli()(grey[None], logit.expand(1, 1001))


def test_trap_07_noise_is_not_clamped_so_the_mean_of_the_air_stays():
    air = torch.zeros(4, 1, 40, 40)
    y = noise_models.get("gaussian", sigma=0.1)(air, rng=rng_of(0))
    assert abs(y.mean().item()) < 4 * 0.1 / 80
    assert y.clamp(min=0).mean().item() == pytest.approx(0.04, abs=0.002)


def test_trap_08_noise_is_told_reference_units_and_the_network_normalises_both_alike():
    seen = {}

    class Told(type(noise_models.get("rician"))):
        def apply(self, x, params, rng, *, spacing_mm=None):
            seen.setdefault("x", x)
            return super().apply(x, params, rng, spacing_mm=spacing_mm)

    x, y, _ = step(noise=Told(sigma=(0.05, 0.1)))
    assert torch.equal(seen["x"][0], x[0])  # as it came: white matter is 1
    assert y.min() >= 0  # a magnitude in those units, not z-scored
    assert (y - x).abs().mean() < 0.1


def test_trap_08_magnitude_noise_on_z_scored_data_destroys_the_image():
    x = 1 + 0.3 * torch.randn(1, 1, 60, 60, generator=rng_of(0))
    noise = noise_models.get("rician", sigma=(0.05, 0.05))

    def kept(image):
        pair = torch.stack([x.flatten(), noise(image, rng=rng_of(1)).flatten()])
        return torch.corrcoef(pair)[0, 1].item()

    assert kept(x) > 0.95
    assert abs(kept((x - x.mean()) / x.std())) < 0.1


def best_dvae(t2):
    """The model with the best gain for corruption of variance t2 (criterion.md)."""
    variance = GOLDEN.w**2 + GOLDEN.s2
    a0 = GOLDEN.w / variance
    gain = a0 * variance / (variance + t2)
    return LinearGaussian(t2=t2, a=gain)


def test_trap_09_the_gap_grows_with_the_noise_and_the_nll_does_not():
    x = GOLDEN.draw(3000, rng_of(0))
    bounds, nlls = [], []
    for t2 in (0.01, 0.25, 1.0):
        model = best_dvae(t2)
        bounds.append(model.dvae(x).mean().item())
        q = [model.encode(x)]
        found = importance_nll(x, q, model.log_likelihood, rng_of(1), 1000)
        gap = found.nats + model.log_evidence(x)
        nlls.append(gap.mean().item())
    assert bounds[0] > bounds[1] + 0.1 > bounds[2] + 0.2
    assert max(map(abs, nlls)) < 0.02


def test_trap_10_geometry_moves_the_target_and_corruption_comes_after():
    from medvae.training.data import loader

    config = settings("augmentation.probability=0", "augmentation.flip=1")
    stuff = material()
    entries = stuff.entries("train", ())
    batch = next(iter(loader(entries, stuff.volumes, config, training=True)))
    for image, number in zip(batch["image"], batch["entry"], strict=True):
        clean = torch.from_numpy(stuff.volumes.image(entries[int(number)].index))
        assert torch.equal(image[0], clean.flip(0))  # flipped, and not yet corrupted
    x, y, _ = step()
    assert not torch.equal(y[0], x)


def test_trap_11_the_code_is_the_mean_in_evaluation():
    from medvae.model.network import DenoisingVAE

    config = settings()
    vae = DenoisingVAE(network_of(config)).eval()
    x = torch.rand(1, 1, *grid_of(config).shape)
    mean, logvar = vae.encoder.head(
        vae.encoder.body((x - vae.CENTRE) / vae.SPREAD)
    ).chunk(2, 1)
    assert torch.equal(vae.encode(x).mean, mean)
    assert logvar.exp().min() > 0  # so mean + std would be something else


def test_trap_12_a_collapsed_code_tells_nothing_of_the_scanner_and_nothing_else():
    x = GOLDEN.draw(500, rng_of(0))
    collapsed = LinearGaussian(a=0.0, v=1.0)
    y = collapsed.corrupt(x, 3, rng_of(1))
    posteriors = collapsed.encode(y.flatten(0, 1)).chunk(3)
    assert pairwise(posteriors).abs().max() == 0  # perfectly invariant
    bound = dvae(x, y, collapsed.encode, collapsed.log_likelihood, rng_of(2))
    assert bound.kl.abs().max() == 0  # because it is empty
    honest = dvae(x, y, GOLDEN.encode, GOLDEN.log_likelihood, rng_of(2))
    lost = honest.reconstruction - bound.reconstruction
    assert lost.mean() > 10 * standard_error(lost)


def test_consequence_corruption_trained_through_the_bound_becomes_harmless():
    # L_dvae is linear in c: the least noise always wins, so c is fitted, then frozen.
    x = GOLDEN.draw(20_000, rng_of(0))
    values = [LinearGaussian(t2=t2).dvae(x).mean().item() for t2 in (0.0, 0.1, 0.5)]
    assert values[0] > values[1] > values[2]


def test_golden_gain_of_the_denoising_encoder_shrinks():
    assert best_dvae(0.25).a == pytest.approx(0.555556, abs=1e-6)
    assert best_dvae(0.0).a == pytest.approx(0.622010, abs=1e-6)


def test_mixture_of_gaussians_is_not_gaussian():
    # Salt-and-pepper into an affine encoder: q~ has the excess kurtosis of the noise
    # on top of a Gaussian, far from zero.
    noise = noise_models.get("salt_and_pepper", p=0.1, low=0.0, high=1.0)
    grey = torch.full((200, 1, 50, 50), 0.5)
    z = (noise(grey, rng=rng_of(0)) - 0.5).flatten().double()
    z = z + 0.1 * torch.randn(z.shape, generator=rng_of(1), dtype=torch.float64)
    z = z - z.mean()
    excess = z.pow(4).mean() / z.square().mean() ** 2 - 3
    variance, hit = 0.25, 0.1
    second = hit * variance + 0.01
    fourth = hit * (variance**2 + 6 * variance * 0.01) + 3 * 0.01**2
    assert excess.item() == pytest.approx(fourth / second**2 - 3, rel=0.03)
    assert excess > 2
