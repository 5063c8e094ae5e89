"""What training raises: lower bounds on log p(x), as pure functions.

Every one of them is called as ``objective(x, corrupted, encode, log_likelihood, rng,
...)`` and returns a :class:`Bound`. The mathematics is in docs/criterion.md.
"""

from medvae.model.objective.bound import Bound, Encode, LogLikelihood
from medvae.model.objective.denoising import dvae, vae
from medvae.model.objective.importance import Weighting, diwae, iwae
from medvae.model.objective.information import leave_one_out, pairwise, within
from medvae.model.objective.invariance import invariance
from medvae.model.objective.semi_implicit import sivi

__all__ = [
    "Bound",
    "Encode",
    "LogLikelihood",
    "Weighting",
    "diwae",
    "dvae",
    "invariance",
    "iwae",
    "leave_one_out",
    "pairwise",
    "sivi",
    "vae",
    "within",
]
