"""The importance-sampled NLL against a model whose NLL is known."""

import sys
from pathlib import Path

import pytest
import torch

from medvae.model.nll import Nll, importance_nll, refine
from medvae.model.posterior import Posterior

sys.path.insert(0, str(Path(__file__).parent))
from linear_gaussian import LinearGaussian, rng_of

MODEL = LinearGaussian()


def scans(n=400):
    return MODEL.draw(n, rng_of(0))


def proposals(x, kind, copies=10):
    if kind == "clean":
        return [MODEL.encode(x)]
    y = MODEL.corrupt(x, copies, rng_of(1))
    return MODEL.encode(y.flatten(0, 1)).chunk(copies)


@pytest.mark.parametrize("kind", ["clean", "corrupted"])
def test_golden_nll_is_the_entropy_of_the_model_from_either_proposal(kind):
    x = scans()
    nll = importance_nll(x, proposals(x, kind), MODEL.log_likelihood, rng_of(2), 2000)
    off = nll.nats + MODEL.log_evidence(x)
    assert abs(off.mean().item()) < 4 * nll.error.mean().item() / len(x) ** 0.5 + 2e-4
    assert off.abs().max() < 6 * nll.error.max()
    assert nll.mean == pytest.approx(1.787521, abs=4 * nll.standard_error)


def test_standard_error_is_the_spread_of_repeated_estimates():
    x = torch.full((1, 1), 0.75, dtype=torch.float64)
    q = [MODEL.encode(x)]
    found = [
        importance_nll(x, q, MODEL.log_likelihood, rng_of(seed), 200)
        for seed in range(300)
    ]
    spread = torch.cat([each.nats for each in found]).std().item()
    promised = torch.cat([each.error for each in found]).mean().item()
    assert promised == pytest.approx(spread, rel=0.15)


def test_a_poorer_proposal_gives_a_higher_number_and_says_that_few_samples_counted():
    x = scans()
    narrow = Posterior(MODEL.encode(x).mean, torch.full_like(x, -6.0))
    good = importance_nll(x, [MODEL.encode(x)], MODEL.log_likelihood, rng_of(3), 100)
    poor = importance_nll(x, [narrow], MODEL.log_likelihood, rng_of(3), 100)
    assert poor.mean > good.mean + 0.05
    assert poor.effective.mean() < 0.5 * good.effective.mean()


def test_batches_of_codes_do_not_change_the_number_of_samples():
    x = scans(5)
    for together in (1, 7, 100):
        nll = importance_nll(
            x,
            proposals(x, "clean"),
            MODEL.log_likelihood,
            rng_of(0),
            20,
            together=together,
        )
        assert nll.samples == 20


def test_samples_are_shared_evenly_by_the_proposals():
    x = scans(5)
    three = proposals(x, "corrupted", copies=3)
    nll = importance_nll(x, three, MODEL.log_likelihood, rng_of(0), 10)
    assert nll.samples == 12


def test_refining_finds_the_model_s_own_posterior():
    x = scans(50)
    rng = rng_of(4)
    fitted = refine(MODEL.encode(x), x, MODEL.log_likelihood, rng, 400, samples=8)
    variance = 1 / (1 + MODEL.w**2 / MODEL.s2)
    mean = variance * MODEL.w / MODEL.s2 * x
    assert (fitted.mean - mean).abs().mean() < 0.05
    assert fitted.logvar.exp().mean().item() == pytest.approx(variance, rel=0.1)


def test_refining_raises_the_bound_and_leaves_the_start_alone():
    x = scans(200)
    start = MODEL.encode(x)
    before = start.mean.clone()
    fitted = refine(start, x, MODEL.log_likelihood, rng_of(5), 100)
    assert torch.equal(start.mean, before)
    assert not fitted.mean.requires_grad
    gap = gap_of(start, x).mean() - gap_of(fitted, x).mean()
    assert gap > 0.5 * gap_of(start, x).mean()


def gap_of(q, x):
    """KL to the model's own posterior, which is what the bound misses."""
    variance = 1 / (1 + MODEL.w**2 / MODEL.s2)
    exact = Posterior(
        variance * MODEL.w / MODEL.s2 * x, torch.full_like(x, variance).log()
    )
    return q.kl_to(exact)


def test_error_of_the_mean_is_that_of_the_scans():
    nll = Nll(torch.tensor([1.0, 3.0, 5.0]), torch.zeros(3), torch.ones(3), 10)
    assert nll.standard_error == pytest.approx(2 / 3**0.5)


@pytest.mark.parametrize(
    ("count", "samples", "message"),
    [(0, 10, "at least one proposal"), (1, 1, "samples must be at least 2, got 1")],
)
def test_nothing_to_sample_from_is_refused(count, samples, message):
    x = scans(3)
    with pytest.raises(ValueError, match=message):
        importance_nll(
            x, [MODEL.encode(x)] * count, MODEL.log_likelihood, rng_of(0), samples
        )
