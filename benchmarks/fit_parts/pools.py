"""Scans of known truth from both simulators, estimated once and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from joblib import Parallel, delayed

from fit_parts.simulator import Machine, scan
from medvae.phantom import Anatomy, Scanner, acquire, anatomy, scan_rng, scanner
from medvae.phantom.acquire import Day
from noise_models.scanner.common_grid import specimen
from noise_models.scanner.estimate import (
    ESTIMATOR_VERSION,
    ScanEstimate,
    estimate_scan,
)

SEED = 5  # of the cohort of phantoms


def second(subject: int, machine: Machine, spread: float = 0.1) -> dict[str, Any]:
    """A scan of the second simulator, its noise varied by ``spread``."""
    rng = np.random.default_rng([17, subject])
    sigma = machine.sigma * float(np.exp(spread * rng.standard_normal()))
    found = scan(subject, replace(machine, sigma=sigma))
    return {
        "image": found.image.astype(np.float32),
        "spacing": found.voxel_mm,
        "truth": {
            "sigma": sigma,
            "gm": found.gm,
            "csf": found.csf,
            "blur_mm2": found.blur_mm2.tolist(),
        },
        "log_bias": found.log_bias,
        "brain": found.brain,
    }


def phantom(subject: int, site: str, scale: float, changes: dict[str, Any]) -> dict:
    """A phantom scan; ``changes`` are fields of its scanner, and ``sigma``."""
    name = f"{site}{subject:03d}"
    own = dict(changes)
    sigma = own.pop("sigma", None)
    machine = replace(scanner(site).scaled(scale), **own)
    head = anatomy(SEED, name, spacing_mm=scale)
    return _acquired(head, name, machine, sigma)


def visit(person: int, site: str, scale: float, day: int = 0) -> dict:
    """A phantom scan of a person who may be seen at other sites and days, too."""
    name = f"P{person:03d}"
    when = f"{name}-day-{day}" if day else name
    return _acquired(_head(name, scale), when, scanner(site).scaled(scale))


@lru_cache(maxsize=1)
def _head(name: str, scale: float) -> Anatomy:
    """Made once for all sites that image it one after the other."""
    return anatomy(SEED, name, spacing_mm=scale)


def _acquired(
    head: Anatomy, name: str, machine: Scanner, sigma: float | None = None
) -> dict:
    rng = scan_rng(SEED, name, machine.site)
    day = Day.draw(machine, rng)
    if sigma is not None:
        day = replace(day, noise=sigma)
    taken = acquire(head, machine, rng, day=day)
    image = nib.as_closest_canonical(taken.image)
    truth = taken.truth
    return {
        "image": np.asarray(image.dataobj, np.float32),
        "spacing": tuple(float(v) for v in image.header.get_zooms()[:3]),
        "truth": {
            "sigma": truth["noise_sigma"],
            "gm": truth["tissue_contrast"]["gm_over_wm"],
            "csf": truth["tissue_contrast"]["csf_over_wm"],
            "units": truth["white_matter_units"],
        },
    }


def keep(work: Path, name: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 (whatever was made)
    """The result of ``make``, or what it gave before: one JSON file a name."""
    path = work / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text())
    found = make()
    work.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(found))
    partial.replace(path)
    return found


def measured(made: dict[str, Any], *, features: bool) -> dict[str, Any]:
    """Estimate and, where asked for, features on the common grid, as plain values."""
    estimate = estimate_scan(made["image"], made["spacing"])
    found = {
        "estimate": estimate.as_dict(),
        "truth": made["truth"],
        # The fit's unit is white matter under the mean shading of a brain.
        "unit": estimate.reference / made["truth"].get("units", np.nan),
    }
    if features:
        one = specimen((made["image"], made["spacing"]), estimate, "")
        found["features"] = one.features.tolist()
    return found


def pool(
    work: Path,
    name: str,
    make: Callable[..., dict[str, Any]],
    calls: Sequence[tuple],
    *,
    features: bool = False,
    jobs: int = 1,
    simulate_only: bool = False,
) -> list[dict[str, Any]]:
    """Measure many simulated scans; every scan is kept by itself."""

    def one(number: int, call: tuple) -> dict[str, Any]:
        place = work / name
        if simulate_only:
            simulated(place, f"{number:04d}", make, call)
            return {}
        kind = f"v{ESTIMATOR_VERSION}{'-features' if features else ''}"
        return keep(
            place / kind,
            f"{number:04d}",
            lambda: measured(
                simulated(place, f"{number:04d}", make, call), features=features
            ),
        )

    return Parallel(n_jobs=jobs)(delayed(one)(k, c) for k, c in enumerate(calls))


def simulated(
    place: Path, name: str, make: Callable[..., dict[str, Any]], call: tuple
) -> dict[str, Any]:
    """A simulated scan; its voxels are kept as 16-bit numbers, as scanners store."""
    path = place / f"{name}.npy"
    facts = place / f"{name}-truth.json"
    if not (path.exists() and facts.exists()):
        made = make(*call)
        image = made["image"]
        place.mkdir(parents=True, exist_ok=True)
        is_whole = np.array_equal(image, np.rint(image)) and image.max() < 32000
        partial = path.with_suffix(".part")
        with partial.open("wb") as file:
            np.save(file, image.astype(np.int16 if is_whole else np.float32))
        partial.replace(path)
        keep(
            place,
            f"{name}-truth",
            lambda: {"spacing": list(made["spacing"]), "truth": made["truth"]},
        )
    return {
        "image": np.load(path).astype(np.float32),
        **json.loads(facts.read_text()),
    }


def estimates(rows: Sequence[dict[str, Any]]) -> list[ScanEstimate]:
    """The estimates of a pool."""
    return [ScanEstimate.from_dict(row["estimate"]) for row in rows]


def vectors(rows: Sequence[dict[str, Any]]) -> np.ndarray:
    """Parameters (N, K) of a pool."""
    return np.stack([e.vector for e in estimates(rows)])
