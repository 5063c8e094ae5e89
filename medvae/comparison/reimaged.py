"""Training scans of a phantom, re-imaged by true scanners: what the oracle learns from.

Every subject is imaged once by every other training scanner (``oracle``), or by as
many random ones (``oracle_wide``), brought to the grid that their own scan was laid on,
and kept on disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from joblib import delayed
from numpy.typing import NDArray

from medvae.cohort import Scan
from medvae.files import atomic_path
from medvae.phantom.dataset import Recipe
from medvae.phantom.reimage import head_of, random_scanner, reimage
from medvae.phantom.scanners import Scanner, scanner
from medvae.training.seeds import seed_of
from medvae.volume import (
    Placement,
    PreparedCohort,
    foreground_mask,
    read_volume,
    reference_level,
)
from noise_models.workers import workers

Progress = Callable[[int, int, str], None]
FORMAT = 1


@dataclass(frozen=True)
class Reimaged:
    """Views of scans by number, read from disk when asked for."""

    paths: Mapping[int, Sequence[Path]]

    def views(self, index: int) -> list[NDArray[np.float32]]:
        """Every view of scan ``index``, on its own grid."""
        return [np.load(path, mmap_mode="r") for path in self.paths[index]]


def machines_of(
    scan: Scan, sites: Sequence[str], seed: int, *, wide: bool
) -> dict[str, Scanner]:
    """By whom a scan's subject is imaged again: the other sites, or random scanners.

    Example:
        >>> scan = Scan(Path("a.nii"), "NYU01", "NYU")
        >>> list(machines_of(scan, ["KKI", "NYU"], 0, wide=False))
        ['KKI']
    """
    others = [site for site in sites if site != scan.site]
    if not wide:
        return {site: scanner(site) for site in others}
    rng = np.random.default_rng(seed_of(seed, "random scanners", scan.subject))
    count = max(len(others), 2)
    return {f"random{k}": random_scanner(sites, rng) for k in range(count)}


def reimage_scans(
    scans: Mapping[int, Scan],
    store: PreparedCohort,
    recipe: Recipe,
    sites: Sequence[str],
    cache: Path,
    *,
    wide: bool,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Reimaged:
    """Make the views of training scans, or find them made.

    Args:
        scans: By their number in ``store``; residents of training sites.
        store: Their prepared scans, whose placement the views share.
        recipe: Of the phantom.
        sites: The training sites.
        cache: Folder to keep views in.
        wide: Random scanners instead of the other sites'.
        jobs: Processes.
        progress: Called with (scans done, scans in all, name).
    """
    tasks = (
        delayed(_views_of)(
            index,
            scan,
            store.prepared(index).placement,
            store.folders[index].name,
            recipe,
            machines_of(scan, sites, recipe.seed, wide=wide),
            cache,
        )
        for index, scan in scans.items()
    )
    paths: dict[int, Sequence[Path]] = {}
    pool = workers(jobs, unordered=True)
    for index, made in pool(tasks):
        paths[index] = made
        if progress:
            progress(len(paths), len(scans), scans[index].path.name)
    return Reimaged(paths)


def _views_of(
    index: int,
    scan: Scan,
    placement: Placement,
    prepared: str,
    recipe: Recipe,
    machines: Mapping[str, Scanner],
    cache: Path,
) -> tuple[int, list[Path]]:
    made = [
        cache / prepared / f"{_key(recipe, scan, name, machine)}.npy"
        for name, machine in machines.items()
    ]
    if all(path.is_file() for path in made):
        return index, made
    head = head_of(recipe, scan.subject)
    for path, (name, machine) in zip(made, machines.items(), strict=True):
        if path.is_file():
            continue
        view = reimage(head, recipe, scan.subject, scan.site or "", machine, name)
        volume = read_volume(view.image)
        inside = foreground_mask(volume.data, volume.spacing_mm)
        unit = reference_level(volume.data, inside, volume.spacing_mm).level
        there = replace(
            placement, native_shape=volume.data.shape, native_affine=volume.affine
        )
        image = np.maximum(there.to_grid(volume.data) / np.float32(unit), 0)
        with atomic_path(path) as partial, partial.open("wb") as handle:
            np.save(handle, image.astype(np.float32))
    return index, made


def _key(recipe: Recipe, scan: Scan, name: str, machine: Scanner) -> str:
    content = {
        "format": FORMAT,
        "seed": recipe.seed,
        "voxel_scale": recipe.voxel_scale,
        "subject": scan.subject,
        "site": scan.site,
        "view": name,
        "machine": asdict(machine),
    }
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
