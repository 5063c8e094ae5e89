"""Kill -9 at random moments: does every verb go on, and end like one left alone?

fit-noise, train, encode, harmonize, noise apply and compare run on a tiny phantom: once
undisturbed, then again and again with kills. After each series the same command is left
to end, and every file is held against the undisturbed run's, to the last bit.

    python benchmarks/faults.py --kills 60          # writes results/faults.json

With ``--world FOLDER`` phantoms and undisturbed runs are kept there for the next run.
Results are written after every series.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from fault_parts.killing import run, survive
from fault_parts.outcome import digests, litter

RESULT = Path(__file__).parent / "results" / "faults.json"
SMALL = (
    "grid.shape=[24,32,24]",
    "grid.spacing_mm=[8,8,8]",
    "network.channels=[4,8]",
    "network.latent_channels=2",
    "optimiser.epochs=6",
)
SIZE = ("--subjects", "4", "--travelers", "2", "--voxel-scale", "5")
# Four people a site: the fewest that a fit calibrates and tries its transfers on.
FEW = ("--subjects", "4", "--travelers", "0", "--voxel-scale", "4")
COMPARE = """
held_out: [KKI]
seeds: 1
energy_scans: 2
permutations: 5
train:
  device: cpu
  grid: {shape: [16, 16, 16], spacing_mm: [12.0, 12.0, 12.0]}
  network: {channels: [2, 4], latent_channels: 1}
  objective: {corruptions: 1}
  optimiser: {epochs: 2, learning_rate: 0.002}
arms:
  - {name: none, noise: none}
  - {name: gaussian, noise: gaussian}
"""


VERBS = ("train", "encode", "harmonize", "noise apply", "compare", "fit-noise")
LOADED = (
    "medvae.cli.app",
    "medvae.comparison.run",
    "medvae.encoding.images",
    "medvae.noise.report",
    "noise_models.scanner",
)


@dataclass(frozen=True)
class Verb:
    """A command to be killed.

    Args:
        name: Of the verb.
        words: With ``{out}`` for the folder that it writes into.
        again: Words to go on with.
        per_series: Kills before it may end.
    """

    name: str
    words: tuple[str, ...]
    again: tuple[str, ...] = ()
    per_series: int = 4

    def into(self, out: Path) -> list[str]:
        """The words that write into a folder."""
        return [word.format(out=out) for word in self.words]


def verbs(world: Path) -> list[Verb]:
    """All verbs on one small phantom."""
    settings = [word for one in SMALL for word in ("--set", one)]
    data = ("--data", str(world / "data"))
    plan = str(world / "plan.yaml")
    cpu = ("--device", "cpu", "--jobs", "1")
    scans = [str(path) for path in sorted((world / "data").glob("sub-*/**/*.nii.gz"))]
    return [
        Verb("fit-noise", (
            "fit-noise", "NYU", "UM_1", "--data", str(world / "few"), "-o",
            "{out}/scanner.yaml", "--jobs", "1")),
        Verb("train", (
            "train", "--noise", "rician", *data, "--held-out", "KKI",
            *settings, *cpu, "-o", "{out}/run"), ("--resume",)),
        Verb("encode", (
            "encode", str(world / "run"), str(world / "data"), "-o", "{out}/codes")),
        Verb("harmonize", (
            "harmonize", str(world / "run"), str(world / "data"), "--to", "NYU",
            "-o", "{out}/as_nyu", "--jobs", "1")),
        Verb("noise apply", (
            "noise", "apply", "rician", *scans, "-o", "{out}/copies")),
        Verb("compare", (
            "compare", *data, "--config", plan, "-o", "{out}/compare", "--jobs", "1")),
    ]  # fmt: skip


def prepare(world: Path, wanted: Sequence[str]) -> None:
    """Phantoms, and a run to encode by, for the verbs to start from."""
    log = world / "log"
    make = ("phantom", "--jobs", "1", "--sites")
    if "fit-noise" in wanted:
        _timed("phantom", [*make, "NYU,UM_1", *FEW, str(world / "few")], log)
    if {*wanted} - {"fit-noise"}:
        _timed("phantom", [*make, "NYU,UM_1,KKI", *SIZE, str(world / "data")], log)
    (world / "plan.yaml").write_text(COMPARE)
    if {"encode", "harmonize"} & {*wanted}:
        os.environ["XDG_CACHE_HOME"] = str(world / "cache")
        if (world / "run" / "seal.json").exists():
            return
        (train,) = (verb for verb in verbs(world) if verb.name == "train")
        _timed("train", train.into(world), log)


def _timed(name: str, words: Sequence[str], log: Path) -> float:
    ending = run(words, log)
    if ending.code != 0:
        told = log.read_text(encoding="utf-8").splitlines()[-1:]
        raise RuntimeError(f"{name} ended with exit {ending.code}: {told}")
    print(f"{name}, undisturbed: {ending.seconds:.1f} s", flush=True)
    return ending.seconds


def try_verb(
    verb: Verb,
    world: Path,
    kills: int,
    seed: int,
    keep: Callable[[dict[str, Any]], None],
) -> None:
    """Kill one verb ``kills`` times or more, in series; ``keep`` what came of it."""
    rng = random.Random(f"{seed} {verb.name}")
    whole, lasts = _undisturbed(verb, world)
    moments: list[float] = []
    series, differing, left = 0, [], []
    while len(moments) < kills:
        out = world / f"{verb.name}-{series}"
        _fresh_cache(world)
        survived = survive(
            verb.into(out),
            world / "log",
            again=verb.again,
            most=verb.per_series,
            lasts=lasts,
            rng=rng,
        )
        moments += survived.kills
        if not survived.kills:  # it was quicker than when it was timed
            lasts = survived.seconds
        series += 1
        now = _where_is_no_matter(digests(out))
        differing += sorted(k for k in {*whole, *now} if whole.get(k) != now.get(k))
        left += litter(out)
        shutil.rmtree(out)
        print(f"{verb.name}: {len(moments)} kills, {series} series", flush=True)
        found = {
            "seed": seed,
            "kills": len(moments),
            "series": series,
            "undisturbed_s": round(lasts, 2),
            "moments_s": moments,
            "files_compared": len(whole),
            "differing": sorted(set(differing)),
            "left_behind": sorted(set(left)),
        }
        keep(found)


def _undisturbed(verb: Verb, world: Path) -> tuple[dict[str, str], float]:
    out, told = world / f"{verb.name}-whole", world / f"{verb.name}-seconds"
    if not told.exists():
        shutil.rmtree(out, ignore_errors=True)
        _fresh_cache(world)
        told.write_text(f"{_timed(verb.name, verb.into(out), world / 'log')}")
    return _where_is_no_matter(digests(out)), float(told.read_text())


def _where_is_no_matter(found: dict[str, str]) -> dict[str, str]:
    """README.md of a run holds the path it lies at, and nothing else that differs."""
    return {name: value for name, value in found.items() if not name.endswith(".md")}


def _fresh_cache(world: Path) -> None:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="cache-", dir=world)


def world_of(given: argparse.Namespace) -> AbstractContextManager[str | Path]:
    """The folder that was asked for, or one that goes away afterwards."""
    if given.world:
        return nullcontext(given.world)
    return tempfile.TemporaryDirectory(prefix="faults-")


def write(path: Path, given: argparse.Namespace, results: dict[str, Any]) -> None:
    """What is known so far: hours of kills are not lost to the next one."""
    import torch

    if path.exists():  # verbs that were tried before are kept
        results = json.loads(path.read_text(encoding="utf-8"))["verbs"] | results
    content = {
        "command": "python benchmarks/faults.py",
        "machine": f"{platform.system()}, {os.cpu_count()} cores",
        "torch": torch.__version__,
        "kills": sum(one["kills"] for one in results.values()),
        "verbs": results,
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=60, help="In all, at least.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbs", default=",".join(VERBS))
    parser.add_argument("--world", type=Path, help="Folder to keep.")
    parser.add_argument("-o", "--out", type=Path, default=RESULT)
    given = parser.parse_args(arguments)
    import torch

    # Loaded once, for all that are forked from here: kills fall into the work.
    for name in LOADED:
        importlib.import_module(name)

    torch.set_num_threads(1)
    wanted = given.verbs.split(",")
    results: dict[str, Any] = {}
    with world_of(given) as folder:
        world = Path(folder).resolve()
        world.mkdir(parents=True, exist_ok=True)
        prepare(world, wanted)

        def keep(name: str, found: dict[str, Any]) -> None:
            results[name] = found
            write(given.out, given, results)

        known = {verb.name: verb for verb in verbs(world)}
        for name in wanted:
            share = -(-given.kills // len(wanted))
            try_verb(known[name], world, share, given.seed, partial(keep, name))
    total = sum(one["kills"] for one in results.values())
    bad = [name for name, one in results.items() if one["differing"]]
    print(f"{total} kills; differing: {', '.join(bad) or 'none'}")


if __name__ == "__main__":
    main()
