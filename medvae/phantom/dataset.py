"""Writing the phantom as a BIDS data set, with the ground truth beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from medvae.errors import UserError
from medvae.files import atomic_path, write_json
from medvae.inputs import read_record
from medvae.lock import sole_maker
from medvae.phantom import bids
from medvae.phantom.acquire import acquire
from medvae.phantom.anatomy import anatomy, draw_person, subject_rng
from medvae.phantom.scanners import scanner, site_names

Progress = Callable[[int, int, str], None]

TRUTH = Path("derivatives/ground-truth")
_RECIPE = TRUTH / "phantom.json"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the data set's content."""

    sites: tuple[str, ...]
    subjects: int
    travelers: int
    seed: int
    voxel_scale: float


def make_phantom(
    out: Path,
    *,
    sites: Sequence[str] | None = None,
    subjects: int = 24,
    travelers: int = 8,
    seed: int = 0,
    voxel_scale: float = 1.0,
    progress: Progress | None = None,
    jobs: int = 1,
) -> Path:
    """Make a multi-site cohort whose truth is known.

    Every site scans its own ``subjects`` people; each traveler is scanned at every
    site. The content depends on the arguments alone, not on ``jobs``. Scans are
    collected in a hidden folder beside ``out``, which takes the name ``out`` when
    complete: an interrupted call goes on where it stopped when repeated.

    Args:
        out: BIDS root to make.
        sites: From ``site_names()``; all by default.
        subjects: People at each site.
        travelers: People scanned at all sites.
        seed: Decides every number.
        voxel_scale: Multiplies all voxel sizes; 2 is about twenty times as fast as 1.
        progress: Called with (scans done, scans in all, name of the last).
        jobs: Processes.

    Returns:
        ``out``.

    Raises:
        UserError: Unknown site, impossible count, or ``out`` holds something else.

    Example:
        >>> import tempfile
        >>> root = make_phantom(Path(tempfile.mkdtemp()) / "phantom", sites=["NYU"],
        ...     subjects=1, travelers=0, voxel_scale=8.0)
        >>> (root / "sub-NYU01" / "anat" / "sub-NYU01_T1w.nii.gz").exists()
        True
    """
    out = Path(out)
    recipe = checked_recipe(sites, subjects, travelers, seed, voxel_scale, jobs)
    if is_finished(out, recipe):
        return out
    with sole_maker(out):
        if not is_finished(out, recipe):  # by whoever was there first
            _make(out, recipe, progress, jobs)
    return out


def _make(out: Path, recipe: Recipe, progress: Progress | None, jobs: int) -> None:
    code = hashlib.sha256(json.dumps(asdict(recipe)).encode()).hexdigest()[:8]
    partial = out.parent / f".{out.name}.partial-{code}"
    partial.mkdir(parents=True, exist_ok=True)
    _scan_everyone(partial, recipe, progress, jobs)
    people = {name: draw_person(recipe.seed, name) for name in _visits(recipe)}
    bids.write_tables(partial, _visits(recipe), people)
    bids.write_descriptions(partial, asdict(recipe))
    bids.write_truth_tables(partial / TRUTH, _visits(recipe))
    write_json(partial / _RECIPE, asdict(recipe))
    if out.exists():
        out.rmdir()
    partial.replace(out)


def scan_rng(seed: int, subject: str, site: str) -> np.random.Generator:
    """Generator behind one scan of the data set.

    Example:
        >>> a, b = (scan_rng(0, "T01", "NYU").random() for _ in range(2))
        >>> bool(a == b)
        True
    """
    return subject_rng(seed, subject, "scan", site)


def checked_recipe(
    sites: Sequence[str] | None,
    subjects: int,
    travelers: int,
    seed: int = 0,
    voxel_scale: float = 1.0,
    jobs: int = 1,
) -> Recipe:
    """What `make_phantom` is asked for, if it can be made.

    Example:
        >>> checked_recipe(["NYU"], 2, 1).seed
        0
    """
    chosen = tuple(site_names() if sites is None else sites)
    for site in chosen:
        scanner(site)
    if len(set(chosen)) != len(chosen) or not chosen:
        raise UserError(
            f"sites must be named once each, got {', '.join(chosen) or 'none'}. "
            "Remove the repetition, or leave sites out to take all."
        )
    for name, value, least in (
        ("subjects", subjects, 0),
        ("travelers", travelers, 0),
        ("seed", seed, 0),
        ("jobs", jobs, 1),
    ):
        if value < least:
            raise UserError(f"{name} must be at least {least}, got {value}.")
    if subjects + travelers == 0:
        raise UserError("subjects and travelers must not both be 0; ask for one scan.")
    if not 1.0 <= voxel_scale <= 8.0:
        raise UserError(f"voxel_scale must be between 1 and 8, got {voxel_scale:g}.")
    return Recipe(chosen, subjects, travelers, seed, float(voxel_scale))


def is_finished(out: Path, recipe: Recipe) -> bool:
    """Whether a folder holds the very data set; one that holds another is refused.

    Example:
        >>> is_finished(Path("nowhere"), checked_recipe(["NYU"], 2, 1))
        False
    """
    if not out.exists():
        return False
    if out.is_dir() and not any(out.iterdir()):
        return False
    if not (out / _RECIPE).is_file():
        raise UserError(
            f"{out}: must be new or empty, but holds something that is not a phantom. "
            "Choose another folder."
        )
    found = read_record(out / _RECIPE, "Choose another folder.")
    wanted = json.loads(json.dumps(asdict(recipe)))
    changed = next((key for key in wanted if found.get(key) != wanted[key]), None)
    if changed:
        raise UserError(
            f"{out}: holds a phantom with {changed} {found.get(changed)}, but "
            f"{wanted[changed]} was asked for. Remove it, or choose another folder."
        )
    return True


def _visits(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """Subject to the sites that scan them, in the order of the tables."""
    width = max(2, len(str(max(recipe.subjects, recipe.travelers))))
    visits: dict[str, tuple[str, ...]] = {}
    for site in recipe.sites:
        for number in range(1, recipe.subjects + 1):
            visits[f"{bids.label(site)}{number:0{width}d}"] = (site,)
    for number in range(1, recipe.travelers + 1):
        visits[f"T{number:0{width}d}"] = recipe.sites
    return visits


def _scan_everyone(
    root: Path, recipe: Recipe, progress: Progress | None, jobs: int
) -> None:
    from joblib import delayed

    from noise_models.workers import workers

    visits = _visits(recipe)
    total = sum(len(places) for places in visits.values())
    tasks = (
        delayed(_scan_subject)(root, subject, places, recipe)
        for subject, places in visits.items()
    )
    done = 0
    # One subject is one task, so that travelers' heads are made once.
    for made in workers(jobs)(tasks):
        for name in made:
            done += 1
            if progress is not None:
                progress(done, total, name)


def _scan_subject(
    root: Path, subject: str, places: tuple[str, ...], recipe: Recipe
) -> list[str]:
    names = []
    head = None
    for site in places:
        stem = bids.scan_stem(subject, site)
        sidecar, truth = root / f"{stem}.json", root / TRUTH / f"{stem}.json"
        names.append(Path(stem).name)
        if sidecar.exists():  # the last file of a scan
            continue
        if head is None:
            head = anatomy(recipe.seed, subject, spacing_mm=recipe.voxel_scale)
        machine = scanner(site).scaled(recipe.voxel_scale)
        scan = acquire(head, machine, scan_rng(recipe.seed, subject, site))
        with atomic_path(root / f"{stem}.nii.gz") as partial:
            nib.save(scan.image, partial)
        write_json(truth, scan.truth)
        write_json(sidecar, bids.sidecar(machine))
    return names
