"""The fully connected model of the paper, one copy a seed, computed together."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from medvae.model.likelihood import Bernoulli
from medvae.model.posterior import Posterior
from medvae.training.seeds import generator
from mnist_parts.digits import PIXELS

WIDTH, CODES = 200, 50
ENCODER = (PIXELS, WIDTH, WIDTH, 2 * CODES)
DECODER = (CODES, WIDTH, WIDTH, PIXELS)


class Stack(nn.Module):
    """S independent networks: 784-200-200 softplus, 50 codes, 200-200-784.

    Every weight has a leading axis over the S seeds, and one batched product serves
    all of them: the loss is a sum over seeds and Adam works by element, so no seed
    feels the others. Images come as (N * S, ...) with the seed last: row n * S + s
    goes to network s. That order survives the objectives, which put corruptions and
    codes in front.

    Args:
        seeds: Of the initial weights, one a network.
    """

    def __init__(self, seeds: list[int]) -> None:
        super().__init__()
        self.seeds = len(seeds)
        self.likelihood = Bernoulli()
        self.encoder = _layers(ENCODER, seeds, "encoder")
        self.decoder = _layers(DECODER, seeds, "decoder")

    def encode(self, y: Tensor) -> Posterior:
        """Posterior over the codes (N * S, 50) of images (N * S, 1, 28, 28)."""
        h = self._through(self.encoder, y.reshape(-1, self.seeds, PIXELS))
        mean, logvar = h.chunk(2, dim=-1)
        return Posterior(mean.reshape(-1, CODES), logvar.reshape(-1, CODES))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Log p(x | z) in nats, (N * S,)."""
        logits = self._through(self.decoder, z.view(-1, self.seeds, CODES))
        nats: Tensor = self.likelihood(
            x.reshape(-1, PIXELS), logits.reshape(-1, PIXELS)
        )
        return nats

    def _through(self, layers: nn.ParameterList, x: Tensor) -> Tensor:
        h = x.transpose(0, 1)  # (S, N, features)
        for i in range(0, len(layers), 2):
            h = torch.baddbmm(layers[i + 1], h, layers[i])
            if i + 2 < len(layers):
                h = nn.functional.softplus(h)
        return h.transpose(0, 1)


def _layers(widths: tuple[int, ...], seeds: list[int], part: str) -> nn.ParameterList:
    """Weights (S, in, out) and biases (S, 1, out), uniform as in Glorot & Bengio."""
    rngs = [generator("mnist", seed, "weights", part) for seed in seeds]
    layers = nn.ParameterList()
    for before, after in pairwise(widths):
        end = (6 / (before + after)) ** 0.5
        each = [torch.rand(before, after, generator=rng) for rng in rngs]
        layers.append(nn.Parameter((2 * torch.stack(each) - 1) * end))
        layers.append(nn.Parameter(torch.zeros(len(seeds), 1, after)))
    return layers
