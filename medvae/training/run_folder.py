"""The run folder: what was asked, what corrupted, what came out."""

from __future__ import annotations

import json
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from medvae.cohort import Cohort
from medvae.errors import UserError
from medvae.files import write_json, write_text
from medvae.inputs import read_json
from medvae.lock import LOCK
from medvae.noise.named import freeze
from medvae.report.markdown import code, escaped
from medvae.training.checkpoints import read_checkpoint
from medvae.training.config import TrainConfig, load_config
from medvae.training.split import Splits
from medvae.version import __version__
from noise_models.base import NoiseModel


@dataclass(frozen=True)
class Plan:
    """Who was learned from: training sites, and the split of every subject."""

    sites: tuple[str, ...]
    subjects: Splits


def open_run(
    run: Path, config: TrainConfig, noise: NoiseModel, plan: Plan, *, resume: bool
) -> Path | None:
    """Start a run folder, or return the checkpoint to go on from.

    Raises:
        UserError: The folder is in use by a run with other settings, or by
            something that is not a run.
    """
    last = run / "checkpoints" / "last.ckpt"
    written = run / "config.yaml"
    if resume and written.exists():
        _refuse_another_run(run, config, noise, plan)
        if not last.exists():
            return None
        read_checkpoint(last)  # refuses what is damaged or foreign
        return last
    refuse_used(run, resume=resume)
    settings = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    freeze(noise, run / "noise.yaml")
    content = {"sites": plan.sites, "subjects": dict(sorted(plan.subjects.items()))}
    write_json(run / "splits.json", content)
    write_text(written, settings)
    return None


def refuse_used(run: Path, *, resume: bool) -> None:
    """Refuse a folder that holds something else than a run to go on with.

    Raises:
        UserError: Says so before any work.
    """
    if run.exists() and not run.is_dir():
        raise UserError(f"{run}: not a folder to write to. Choose another.")
    if resume and (run / "config.yaml").exists():
        return
    there = {path.name for path in run.iterdir()} if run.exists() else set()
    started = {LOCK, "noise.yaml", "splits.json"}  # then config.yaml: killed between
    if there - (started if resume else {LOCK}):
        raise UserError(
            f"{run}: not empty. Go on with --resume, or choose another folder with -o."
        )


def join_run(run: Path, *, resume: bool) -> Path | None:
    """The checkpoint that the first process goes on from, as `open_run` told it."""
    last = run / "checkpoints" / "last.ckpt"
    return last if resume and last.exists() else None


MACHINERY = {
    "jobs": 1,
    "device": "auto",
    "devices": 1,
    "nodes": 1,
    "logger": "none",
}  # how, not what: free to change on resuming


def _refuse_another_run(
    run: Path, config: TrainConfig, noise: NoiseModel, plan: Plan
) -> None:
    was = load_config(run / "config.yaml").model_copy(update=MACHINERY)
    with tempfile.TemporaryDirectory() as folder:
        now = Path(folder) / "noise.yaml"
        freeze(noise, now)
        same_noise = now.read_bytes() == (run / "noise.yaml").read_bytes()
    differences = {
        "config.yaml: its settings": was != config.model_copy(update=MACHINERY),
        "noise.yaml: its corruption": not same_noise,
        "splits.json: its subjects": read_plan(run) != plan,
    }
    for what, differs in differences.items():
        if differs:
            raise UserError(
                f"{run}/{what} differ from those asked for. Resume with the same, or "
                "choose another folder."
            )


def read_plan(run: Path) -> Plan:
    """Sites and splits as they were when the run was trained.

    Raises:
        UserError: The run has no readable ``splits.json``.
    """
    path = run / "splits.json"
    try:
        content = read_json(path)
        subjects = {str(k): str(v) for k, v in content["subjects"].items()}
        return Plan(tuple(map(str, content["sites"])), subjects)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: cannot be read ({error}). Train again.") from None


CARD = """# A denoising VAE trained with medvae {version}

It encodes T1-weighted head scans, {grid} voxels of {spacing} mm, and decodes them as
one of its training sites would have scanned them.

| | |
|---|---|
| training sites | {sites} |
| scans | {training} for training, {validation} for validation |
| held-out sites | {held_out} |
| corruption | {noise} (noise.yaml), {copies} fresh draws of every scan at every step |
| objective | {objective}, {likelihood} likelihood |
| latent | {latent}, {channels} channels |
| seed | {seed} |

Use it from Python:

```python
import medvae

encoder = medvae.Encoder.load({path})
latent = encoder.encode("scan.nii.gz")
```

**Limits.** Not a medical device. What it does on a scanner unlike all of its training
sites has to be measured, not assumed: {evaluate}.
"""


def write_card(
    run: Path,
    config: TrainConfig,
    cohort: Cohort,
    sites: tuple[str, ...],
    counts: tuple[int, int],
) -> None:
    """Write README.md, the model card: what it was made from, and its limits."""
    seen = sites or tuple(s for s in cohort.sites if s not in config.held_out)
    text = CARD.format(
        version=__version__,
        grid=" x ".join(map(str, config.grid.shape)),
        spacing=" x ".join(f"{step:g}" for step in config.grid.spacing_mm),
        sites=escaped(", ".join(seen)) or "not labelled",
        training=counts[0],
        validation=counts[1],
        held_out=escaped(", ".join(config.held_out)) or "none",
        noise=escaped(Path(config.noise).stem),
        copies=config.objective.copies,
        objective=config.objective.name,
        likelihood=config.network.likelihood,
        latent=config.network.latent,
        channels=config.network.latent_channels,
        seed=config.seed,
        path=json.dumps(run.as_posix(), ensure_ascii=False),
        evaluate=code(
            shlex.join(
                ["medvae", "evaluate", run.as_posix(), "--data", cohort.root.as_posix()]
            )
        ),
    )
    write_text(run / "README.md", text)
