"""Scans as arrays: reading, writing, checks, the training grid, the intensity unit."""

from medvae.problem import Problem
from medvae.volume.cache import PreparedCohort, prepare_scans
from medvae.volume.checks import check_mask, check_scan
from medvae.volume.foreground import foreground_mask
from medvae.volume.grid import Grid, Placement, place_on_head
from medvae.volume.intensity import Reference, reference_level
from medvae.volume.nifti import Source, Volume, read_volume, write_nifti
from medvae.volume.prepare import Prepared, prepare

__all__ = [
    "Grid",
    "Placement",
    "Prepared",
    "PreparedCohort",
    "Problem",
    "Reference",
    "Source",
    "Volume",
    "check_mask",
    "check_scan",
    "foreground_mask",
    "place_on_head",
    "prepare",
    "prepare_scans",
    "read_volume",
    "reference_level",
    "write_nifti",
]
