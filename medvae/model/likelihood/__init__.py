"""How likely a scan is, given what the decoder painted; one file a distribution.

Every likelihood is a module called as ``likelihood(x, painted)`` that returns nats,
summed over voxels, (B,).
"""

from medvae.model.likelihood.bernoulli import Bernoulli
from medvae.model.likelihood.gaussian import Gaussian
from medvae.model.likelihood.laplace import Laplace
from medvae.model.likelihood.logistic import DiscretisedLogistic
from medvae.model.likelihood.scaled import Scaled
from medvae.model.likelihood.units import bits_per_voxel, log_jacobian

__all__ = [
    "Bernoulli",
    "DiscretisedLogistic",
    "Gaussian",
    "Laplace",
    "Scaled",
    "bits_per_voxel",
    "log_jacobian",
]
