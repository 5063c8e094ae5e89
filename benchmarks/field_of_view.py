"""What ending scans where those of the other site end is worth to harmonising.

    python benchmarks/field_of_view.py COMPARE [--config configs/compare.yaml]

COMPARE is a folder that `medvae compare` wrote. A traveler's scan of a held-out site is
harmonised to every training site twice: as `medvae harmonize` does it, its code made of
what scans of that site would show, and with the code of all of it. Both are held to
the real scan there, inside its head, as `compare` does. Writes
benchmarks/results/field_of_view.json.
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
from torch import Tensor

from medvae.cohort import read_cohort
from medvae.comparison.plan import load_plan
from medvae.comparison.stage import Stage, open_store
from medvae.encoding.encoder import Encoder
from medvae.evaluation.alignment import Motion, estimate_motion
from medvae.evaluation.baselines.inner import AroundEncoder
from medvae.evaluation.bootstrap import mean_estimate
from medvae.evaluation.harmonising import harmonised
from medvae.evaluation.reconstruction import z_scored_error

RESULT = Path(__file__).parent / "results" / "field_of_view.json"
ARMS = ("none", "randomised", "scanner", "oracle")


class Whole(AroundEncoder):
    """The same encoder, which knows of no site where its scans end."""

    def within_field_of_view(self, x: Tensor, /, site: str | None) -> Tensor:
        del site
        return x

    def encode_batch(self, x: Tensor, /) -> tuple[Tensor, Tensor]:
        return self.inner.encode_batch(x)

    def decode_batch(self, z: Tensor, /, site: str | None) -> Tensor:
        return self.inner.decode_batch(z, site)


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
            x = torch.from_numpy(image)[None, None]
            fixed = scans[at[who][target]]
            errors = [
                z_scored_error(
                    motion.apply(harmonised(way, x, target)[0, 0].numpy(), spacing),
                    fixed.image,
                    fixed.mask,
                )
                for way in (Whole(encoder), encoder)
            ]
            rows.setdefault(target, []).append((who, *errors))
        found[arm] = {target: summary(row) for target, row in sorted(rows.items())}
        for target, told in found[arm].items():
            print(arm, target, told["whole"]["mean"], told["cut"]["mean"], flush=True)
    ends = {site: encoder.faces(site).tolist() for site in stage.sites}
    return {"seed": seed, "faces_mm": ends, "arms": found}


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
