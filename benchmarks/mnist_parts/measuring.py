"""What a trained arm is worth on the test images, clean and corrupted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from medvae.model.nll import importance_nll, refine
from medvae.model.objective import dvae, leave_one_out, pairwise, within
from medvae.model.posterior import Posterior
from medvae.training.seeds import generator
from mnist_parts.arms import LEVELS, USUAL, Arm, corrupted
from mnist_parts.network import Stack

SAMPLES = 1000  # codes of every image for the NLL
IMAGES = 60  # test images whose NLL is sampled; the bound is taken on all
BOUND_SAMPLES = 2
SEEN = 1000  # test images shown corrupted
COPIES = 10  # corrupted copies that a code is averaged over
INFORMED = 500  # test images whose code is asked about its corruption
AT_ONCE, AT_ONCE_NLL = 500, 5  # images a batch, codes a batch of every image

INPUTS = [("none", 0.0)] + [
    (kind, level) for kind, levels in LEVELS.items() for level in levels[1:]
]


@dataclass(frozen=True)
class Judge:
    """One trained stack of seeds, and the test images of each, (n * S, 1, 28, 28)."""

    arm: Arm
    model: Stack
    x: Tensor

    def everything(self) -> dict[str, Any]:
        """Every measurement, one number a seed."""
        usual = self.arm if self.arm.noise != "none" else Arm("", "dvae", *USUAL)
        noise, level = self.arm.noise, self.arm.level
        with torch.no_grad():
            return {
                **self.nll(usual),
                "elbo_corrupted": self.elbo(noise, level, len(self.x), 1),
                "elbo_averaged_codes": self.elbo_averaged(usual),
                "elbo_by_input": {
                    f"{kind}_{amount:g}": self.elbo(kind, amount, self._rows(SEEN), 1)
                    for kind, amount in INPUTS
                },
                "information": self.information(usual),
            }

    def nll(self, usual: Arm, images: int = IMAGES) -> dict[str, Any]:
        """NLL of all test images from three proposals, their errors, and the bound.

        The NLL is sampled for the first ``images`` and the bound taken for all: the
        mean of NLL + bound over the former, minus the mean bound of the latter. The
        two differ by far less from image to image than either, so sixty
        images stand for ten thousand (a difference estimator). The error is that of
        the choice of images.
        """
        x = self.x[: self._rows(images)]
        encode, score = self.model.encode, self.model.log_likelihood
        y = usual.corrupt(x, COPIES, generator("proposal"))
        proposals = {
            "nll": [encode(x)],
            "nll_corrupted": encode(y.flatten(0, 1)).chunk(COPIES),
            "nll_refined": [refine(encode(x), x, score, generator("refine"))],
        }
        bounds = self._bounds("none", 0.0, self.x, BOUND_SAMPLES)
        found: dict[str, Any] = {"elbo_clean": bounds.mean(0).tolist()}
        for name, each in proposals.items():
            rng = generator(name)
            nll = importance_nll(x, each, score, rng, SAMPLES, together=AT_ONCE_NLL)
            gap = nll.nats.view(-1, self.model.seeds) + bounds[:images]
            found[name] = (gap.mean(0) - bounds.mean(0)).tolist()
            found[f"{name}_error"] = (gap.std(0) / math.sqrt(images)).tolist()
            effective = nll.effective.view(-1, self.model.seeds)
            found[f"{name}_effective"] = effective.median(0).values.tolist()
        return found

    def elbo(self, kind: str, level: float, rows: int, samples: int) -> list[float]:
        """E_q(z|x~) log p(x|z) - KL, clean target, the input corrupted like that."""
        return self._bounds(kind, level, self.x[:rows], samples).mean(0).tolist()

    def elbo_averaged(self, usual: Arm) -> list[float]:
        """The clean-target bound of codes averaged over corrupted copies."""
        x = self.x[: self._rows(SEEN)]
        total = []
        noise, codes = generator("average"), generator("average", "code")
        for part in x.split(AT_ONCE * self.model.seeds):
            y = usual.corrupt(part, COPIES, noise)
            copies = self.model.encode(y.flatten(0, 1)).chunk(COPIES)
            mean = Posterior.average(copies)
            z = mean.sample(codes)
            total.append(self.model.log_likelihood(part, z) - mean.kl())
        return self._by_seed(torch.cat(total))

    def information(self, usual: Arm) -> dict[str, list[float]]:
        """The bracket of I(z; x~ | x) under the arm's own noise, else the usual one."""
        x = self.x[: self._rows(INFORMED)]
        y = usual.corrupt(x, COPIES, generator("information"))
        posteriors = self.model.encode(y.flatten(0, 1)).chunk(COPIES)
        rng = generator("information", "codes")
        z = torch.stack([q.sample(rng) for q in posteriors])[None]
        return {
            "within": self._by_seed(within(posteriors, z)),
            "leave_one_out": self._by_seed(leave_one_out(posteriors, z)),
            "pairwise": self._by_seed(pairwise(posteriors)),
        }

    def _bounds(self, kind: str, level: float, x: Tensor, samples: int) -> Tensor:
        rng, found = generator("elbo", kind, level), []
        for part in x.split(AT_ONCE * self.model.seeds):
            y = corrupted(kind, level, part, 1, rng)
            bound = dvae(
                part, y, self.model.encode, self.model.log_likelihood, rng, samples
            )
            found.append(bound.value)
        return torch.cat(found).view(-1, self.model.seeds)

    def _by_seed(self, values: Tensor) -> list[float]:
        return values.view(-1, self.model.seeds).mean(0).tolist()

    def _rows(self, images: int) -> int:
        return images * self.model.seeds
