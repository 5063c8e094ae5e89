"""Is it the field of view that parts a fitted noise from true scanners?

    python benchmarks/field_of_view.py COMPARE [--config configs/compare.yaml]

COMPARE is a folder that `medvae compare` wrote. A traveler's scan of a held-out site is
harmonised to every training site twice: whole, and cut where the scans of that training
site end within the head. Both are held against the real scan there, inside its head, as
`compare` does. Writes benchmarks/results/field_of_view.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medvae.cohort import read_cohort
from medvae.comparison.plan import load_plan
from medvae.comparison.stage import Stage, open_store
from medvae.encoding.encoder import Encoder
from medvae.evaluation.alignment import Motion, estimate_motion
from medvae.evaluation.bootstrap import mean_estimate
from medvae.evaluation.reconstruction import z_scored_error
from medvae.model.detail import kept

RESULT = Path(__file__).parent / "results" / "field_of_view.json"
ARMS = ("none", "randomised", "scanner", "oracle")
CUT = 0.25  # of a head's widest plane: an end as wide as this is the volume's

Image = NDArray[np.float32]
Box = tuple[slice, slice, slice]


def field_of_view(masks: Sequence[NDArray[np.bool_]]) -> Box:
    """Where a site's volumes end within the head: medians over its scans.

    Ends that are round, the crown's, are the head's own and cut nothing.
    """
    faces = []
    for axis in range(3):
        ends = []
        for mask in masks:
            areas = mask.sum(tuple(a for a in range(3) if a != axis))
            planes = np.flatnonzero(areas)
            first, last = int(planes[0]), int(planes[-1])
            wide = CUT * areas.max()
            ends.append(
                (
                    first if areas[first] >= wide else 0,
                    last + 1 if areas[last] >= wide else len(areas),
                )
            )
        low, high = np.median(ends, axis=0)
        faces.append(slice(int(low), int(high)))
    return faces[0], faces[1], faces[2]


def cut_to(image: Image, box: Box) -> Image:
    """The image with nothing outside the box."""
    rest = np.zeros_like(image)
    rest[box] = image[box]
    return rest


@torch.inference_mode()
def harmonised(encoder: Encoder, image: Image, to: str) -> Image:
    """What `medvae harmonize` makes of a scan of no training site, on the grid."""
    code, _ = encoder.encode_batch(torch.from_numpy(image)[None, None])
    painted, average = (encoder.decode_batch(code, site)[0, 0] for site in (to, None))
    lacking = torch.from_numpy(image) - average
    detail = kept(lacking, encoder.detail, encoder.grid.spacing_mm)
    return np.asarray((painted + detail).clamp_min(0))


@contextmanager
def quiet(_: str) -> Iterator[Any]:
    yield lambda *_: None


def study(folder: Path, config: Path, seed: int, arms: Sequence[str]) -> dict[str, Any]:
    """Errors of every arm and target, whole and cut, over travelers."""
    plan, cohort = load_plan(config), read_cohort(folder / "phantom")
    store = open_store(plan, cohort, folder / "cache", 1, quiet)
    stage = Stage(plan, cohort, store, seed, folder, folder / "cache", 1, quiet)
    scans, spacing = stage.prepared(), store.grid.spacing_mm
    travelers = cohort.travelers()
    at: dict[str, dict[str, int]] = {}
    for i, scan in enumerate(cohort.scans):
        if scan.subject in travelers:
            at.setdefault(scan.subject, {})[scan.site] = i
    boxes = {
        site: field_of_view(
            [
                np.asarray(store.mask(i)) > 0
                for i, scan in stage.learned("train").items()
                if scan.site == site
            ]
        )
        for site in stage.sites
    }
    motions: dict[tuple[str, str, str], Motion] = {}
    for who, places in at.items():
        for source in plan.held_out:
            for target in stage.sites:
                fixed = scans[places[target]]
                motions[who, source, target] = estimate_motion(
                    scans[places[source]].image, fixed.image, fixed.mask, spacing
                )
    found = {}
    for arm in arms:
        unit = folder / "arms" / arm / f"seed-{seed}"
        choice = str(json.loads((unit / "done.json").read_text())["choice"])
        run = unit / "run" if (unit / "run").exists() else unit / choice / "run"
        encoder = Encoder.load(run)
        rows: dict[str, list[tuple[str, float, float]]] = {}
        for (who, source, target), motion in motions.items():
            image = np.array(scans[at[who][source]].image, dtype=np.float32)
            fixed = scans[at[who][target]]
            errors = [
                z_scored_error(
                    motion.apply(harmonised(encoder, x, target), spacing),
                    fixed.image,
                    fixed.mask,
                )
                for x in (image, cut_to(image, boxes[target]))
            ]
            rows.setdefault(target, []).append((who, *errors))
        found[arm] = {target: summary(row) for target, row in sorted(rows.items())}
        for target, told in found[arm].items():
            print(arm, target, told["whole"]["mean"], told["cut"]["mean"], flush=True)
    ends = {s: [[b.start, b.stop] for b in box] for s, box in boxes.items()}
    return {"seed": seed, "fields_of_view": ends, "arms": found}


def summary(rows: Sequence[tuple[str, float, float]]) -> dict[str, Any]:
    """Means over (traveler, whole, cut), with intervals over travelers."""
    who, whole, cut = zip(*rows, strict=True)
    change = [c - w for w, c in zip(whole, cut, strict=True)]
    found: dict[str, Any] = {"n": len(set(who))}
    for name, values in (("whole", whole), ("cut", cut), ("change", change)):
        number = mean_estimate(list(values), list(who), np.random.default_rng(0))
        ends = number.ci95 or (float("nan"), float("nan"))
        found[name] = {
            "mean": round(number.value, 4),
            "ci95": [round(end, 4) for end in ends],
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("compare", type=Path)
    parser.add_argument("--config", type=Path, default=Path("configs/compare.yaml"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arms", nargs="*", default=ARMS)
    parser.add_argument("-o", "--out", type=Path, default=RESULT)
    given = parser.parse_args()
    torch.set_num_threads(1)
    content = {"command": "python benchmarks/field_of_view.py COMPARE"}
    content |= study(given.compare, given.config, given.seed, given.arms)
    given.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
