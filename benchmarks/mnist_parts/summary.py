"""From the runs to one table: means over seeds, intervals, differences from the VAE."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from measured.students import spread

from mnist_parts.arms import ARMS, USUAL
from mnist_parts.measuring import COPIES, IMAGES, INFORMED, SAMPLES, SEEN
from mnist_parts.runs import PLANS, Run
from mnist_parts.training import VALIDATION_IMAGES, VALIDATION_SAMPLES

PROTOCOL = {
    "split": "50000 training, 10000 validation, 10000 test; binarised once by the seed",
    "network": "784-200-200, 50 codes, 200-200-784, softplus, Adam at 1e-3",
    "stopping": {
        "best": f"lowest NLL of {VALIDATION_IMAGES} validation images, "
        f"{VALIDATION_SAMPLES} samples, clean-input proposal",
        "end": "after end_step steps; minus_vae there only where the VAE took as many",
    },
    "nll": f"{SAMPLES} samples for {IMAGES} test images, carried to all 10000 by the "
    "bound (difference estimator); proposal: the clean-input encoder",
    "nll_corrupted": f"the same; proposal: the encoder of {COPIES} corrupted copies",
    "nll_refined": "the same; proposal: a Gaussian fitted to each image",
    "..._error": "standard error from the choice of images, within a seed",
    "..._effective": "median effective number of samples",
    "elbo_by_input": f"bound on the clean image from corrupted input, {SEEN} images",
    "information": f"I(z; x~ | x) from {COPIES} copies of {INFORMED} images under the "
    f"arm's own noise; {' '.join(map(str, USUAL))} where it has none",
    "seconds": "processor time of training, one seed, one thread",
    "ci95": "Student's t over seeds; differences are paired by seed",
    "flat": "no seed's validation NLL fell by over 0.5 nats in the last sixth of steps",
}
COMPARED = ("nll", "nll_corrupted", "nll_refined", "elbo_clean")


def summary(work: Path) -> dict[str, Any]:
    """Everything that the finished runs in ``work`` have to say."""
    runs = {
        (name, size): json.loads(Run(name, size).path(work).read_text())
        for size in PLANS
        for name in ARMS
        if Run(name, size).path(work).exists()
    }
    return {
        "protocol": PROTOCOL,
        "best_dvae": _best_dvae(runs),
        "arms": [
            _row(name, size, stopping, run, runs.get(("vae", size)))
            for (name, size), run in runs.items()
            for stopping in ("best", "end")
        ],
        "curves": [
            {
                "name": name,
                "train_size": size,
                "step": [look["step"] for look in run["curve"]],
                "seconds": [
                    round(look["seconds"] / len(run["seeds"]), 2)
                    for look in run["curve"]
                ],
                "validation_nll": [
                    round(float(np.mean(look["nll"])), 3) for look in run["curve"]
                ],
            }
            for (name, size), run in runs.items()
        ],
    }


def _best_dvae(runs: dict[tuple[str, int], dict[str, Any]]) -> list[dict[str, Any]]:
    """At every size the denoising arm that validation prefers, against the VAE."""
    found = []
    for size in PLANS:
        lowest = {
            name: float(np.mean(np.min([look["nll"] for look in run["curve"]], axis=0)))
            for (name, of), run in runs.items()
            if of == size and name.startswith("dvae_")
        }
        if not lowest or ("vae", size) not in runs:
            continue
        name = min(lowest, key=lowest.__getitem__)
        for stopping in ("best", "end"):
            row = _row(name, size, stopping, runs[name, size], runs["vae", size])
            kept = ("name", "train_size", "stopping", "minus_vae", "equal_seconds")
            found.append({key: row[key] for key in kept})
    return found


def _row(
    name: str, size: int, stopping: str, run: dict[str, Any], vae: dict[str, Any] | None
) -> dict[str, Any]:
    arm, plan, stop = run["arm"], run["plan"], run["stops"][stopping]
    curve, end_step = run["curve"], _end_step(run)
    row: dict[str, Any] = {
        "name": name,
        "train_size": size,
        "stopping": stopping,
        "noise": arm["noise"],
        "level": arm["level"],
        "M": arm["M"],
        "K": arm["K"],
        "objective": arm["objective"],
        "options": arm["options"],
        "augmented": arm["augmented"],
        "steps": (steps := plan["steps"] if stopping == "best" else end_step),
        "epochs": round(steps * plan["batch"] / size, 1),
        "best_step": run["best_step"],
        "end_step": end_step,
        "seconds": round(run["seconds"], 1),
        "flat": _flat(curve),
    }
    for key, values in stop.items():
        row[key] = _spreads(values)
    if vae is not None and (stopping == "best" or end_step == _end_step(vae)):
        baseline = vae["stops"][stopping]
        row["minus_vae"] = {
            key: spread(np.subtract(stop[key], baseline[key])) for key in COMPARED
        }
        row["minus_vae"]["elbo_by_input"] = {
            kind: spread(np.subtract(values, baseline["elbo_by_input"][kind]))
            for kind, values in stop["elbo_by_input"].items()
        }
        row["equal_seconds"] = _equal_seconds(curve, vae["curve"])
    return row


def _end_step(run: dict[str, Any]) -> int:
    return int(run.get("end_step", run["plan"]["steps"]))


def _spreads(values: Any) -> Any:  # noqa: ANN401 (numbers of seeds, or a dict of them)
    if isinstance(values, dict):
        return {key: _spreads(value) for key, value in values.items()}
    return spread(values)


def _flat(curve: list[dict[str, Any]]) -> bool:
    """Whether no seed gained more than 0.5 nats in the last sixth of its steps."""
    nll = np.asarray([look["nll"] for look in curve])
    last = [look["step"] for look in curve][-1]
    early = max(i for i, look in enumerate(curve) if look["step"] <= last * 5 / 6)
    return bool((nll[: early + 1].min(0) - nll.min(0) <= 0.5).all())


def _equal_seconds(
    curve: list[dict[str, Any]], vae: list[dict[str, Any]]
) -> dict[str, Any]:
    """Best validation NLL at the computing time that both arms reached, minus VAE's."""
    limit = min(curve[-1]["seconds"], vae[-1]["seconds"])

    def best(looks: list[dict[str, Any]]) -> Any:  # noqa: ANN401 (an array of seeds)
        in_time = [look["nll"] for look in looks if look["seconds"] <= limit + 1e-9]
        return np.min(in_time, axis=0)

    per_seed = limit / len(curve[0]["nll"])
    return {"seconds": round(per_seed, 1), **spread(best(curve) - best(vae))}
