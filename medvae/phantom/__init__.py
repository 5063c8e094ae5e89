"""The embedded data: real MNI152 anatomy, imaged by simulated scanners, as BIDS.

The independent truth that fitted noise is judged against, so nothing here may import
``noise_models``.
"""

from medvae.phantom.acquire import Acquisition, Day, acquire
from medvae.phantom.anatomy import Anatomy, anatomy
from medvae.phantom.dataset import make_phantom, scan_rng
from medvae.phantom.scanners import Scanner, scanner, site_names

__all__ = [
    "Acquisition",
    "Anatomy",
    "Day",
    "Scanner",
    "acquire",
    "anatomy",
    "make_phantom",
    "scan_rng",
    "scanner",
    "site_names",
]
