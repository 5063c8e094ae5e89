"""The fitted corruption: estimate scanners, fit sites, imitate one from another.

    >>> import noise_models.scanner as scanner
    >>> scanner.ScannerNoise.name
    'scanner'

`estimate_scan` reads one scan, `fit` a set of sites, `load_scanner` and `save_scanner`
a fitted file, `show` prints one as plain values.
"""

from noise_models.scanner.artefact import load_scanner, save_scanner
from noise_models.scanner.estimate import ScanEstimate, estimate_scan
from noise_models.scanner.fit import fit
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.record import Goodness, Record
from noise_models.scanner.resampling import noise_gain
from noise_models.scanner.scans import estimate_cached
from noise_models.scanner.show import show
from noise_models.scanner.sites import Site
from noise_models.scanner.transfer import Pair

__all__ = [
    "Goodness",
    "Pair",
    "Record",
    "ScanEstimate",
    "ScannerNoise",
    "Site",
    "estimate_cached",
    "estimate_scan",
    "fit",
    "load_scanner",
    "noise_gain",
    "save_scanner",
    "show",
]
