"""The order of the bounds where every expectation can be written out.

Discrete models: one scan, five corruptions of it, four codes, all probabilities drawn
at random. Lemma 1 of arXiv:1511.06406 claims L_dvae >= L_cvae.
"""

import torch

MODELS, CORRUPTIONS, CODES = 2000, 5, 4


def at_random(rng, *shape):
    """Probabilities along the last axis, some of them near 0 and 1."""
    logits = 2 * torch.randn(MODELS, *shape, generator=rng, dtype=torch.float64)
    return logits.softmax(-1)


def test_lemma_one_is_reversed_in_2000_of_2000_discrete_models():
    rng = torch.Generator().manual_seed(0)
    c = at_random(rng, CORRUPTIONS)[..., None]  # c(x~ | x)
    q = at_random(rng, CORRUPTIONS, CODES)  # q(z | x~)
    likelihood = torch.rand(MODELS, CODES, generator=rng, dtype=torch.float64)
    joint = (at_random(rng, CODES) * likelihood)[:, None]  # p(x, z)
    averaged = (c * q).sum(1, keepdim=True)  # q~(z | x)
    dvae = (c * q * (joint / q).log()).sum((1, 2))
    cvae = (averaged * (joint / averaged).log()).sum((1, 2))
    information = (c * q * (q / averaged).log()).sum((1, 2))
    assert (dvae < cvae).sum() == MODELS
    assert (cvae < joint.sum((1, 2)).log()).sum() == MODELS
    assert torch.allclose(cvae - dvae, information, rtol=1e-9)
