"""The model card: what it was made from, what was measured, where it ends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from medvae.encoding import Encoder
from medvae.evaluation import Evaluation, read_evaluation
from medvae.evaluation.report.rows import headline_rows
from medvae.evaluation.report.sentences import describe
from medvae.noise.named import open_noise
from medvae.report.markdown import escaped
from medvae.training.config import TrainConfig, load_config
from medvae.training.run_folder import Plan, read_plan
from medvae.version import __version__
from noise_models.base import NoiseModel

HEAD = {
    "library_name": "medvae-denoise",
    "tags": ["medical-imaging", "mri", "brain", "denoising", "harmonization", "vae"],
    "pipeline_tag": "image-feature-extraction",
}

LIMITS = """
- Not a medical device, and nothing here is evidence about patients.
- Trained on the sites above. What it does on a scanner unlike all of them has to be
  measured, not assumed: `medvae evaluate RUN --data SCANS --held-out SITE`.
- A corruption can only degrade: where another scanner is sharper or cleaner, its images
  are out of reach.
- A decoded image is painted from a code. Small or rare things, lesions among them, may
  be missing from it or changed.
- The site may still be read from the code; see the leakage above, or measure it.
"""


@dataclass(frozen=True)
class Story:
    """What a run folder tells of itself, where it tells."""

    settings: TrainConfig | None
    noise: NoiseModel | None
    plan: Plan | None
    evaluation: Evaluation | None


def read_story(run: Path) -> Story:
    """Gather what lies beside the weights; a lone Hugging Face folder has little.

    Raises:
        UserError: What is there is damaged.
    """
    evaluated, config, noise = (
        run / name for name in ("evaluation.json", "config.yaml", "noise.yaml")
    )
    return Story(
        load_config(config) if config.exists() else None,
        open_noise(str(noise))[0] if noise.exists() else None,
        read_plan(run) if (run / "splits.json").exists() else None,
        read_evaluation(evaluated) if evaluated.exists() else None,
    )


def model_card(story: Story, encoder: Encoder) -> str:
    """README.md of a model, in the form that Hugging Face reads."""
    network = encoder.vae.config
    sites = story.plan.sites if story.plan else network.sites
    settings, held_out = story.settings, _held_out(story)
    shape = " × ".join(map(str, network.grid_shape))
    spacing = " × ".join(f"{step:g}" for step in network.spacing_mm)
    rows = {
        "Training sites": ", ".join(sites) or "not labelled",
        "Subjects": _subjects(story.plan),
        "Held-out sites": ", ".join(held_out) or "none",
        "Corruption": _noise(story.noise),
        "Objective": settings.objective.name if settings else "not recorded",
        "Grid": f"{shape} voxels of {spacing} mm, laid over the head",
        "Likelihood": network.likelihood,
        "Latent": f"{network.latent}, shape {network.latent_shape}",
        "Weights": f"SHA-256 {encoder.model_digest}",
    }
    table = "\n".join(f"| {key} | {escaped(value)} |" for key, value in rows.items())
    head = yaml.safe_dump(HEAD, sort_keys=False)
    return (
        f"---\n{head}---\n\n"
        "# A denoising VAE of head scans\n\n"
        "Encodes T1-weighted head scans and decodes them as one of its training sites "
        f"would have scanned them. Written by medvae {__version__}.\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        "## Evaluation\n\n"
        f"{_evaluation(story.evaluation)}\n"
        "## Limits\n"
        f"{LIMITS}\n"
        "## Use\n\n"
        "```python\nimport medvae\n\n"
        'encoder = medvae.Encoder.load("path/to/this/folder")\n'
        'latent = encoder.encode("scan.nii.gz")\n```\n'
    )


def _subjects(plan: Plan | None) -> str:
    if plan is None:
        return "not recorded"
    splits = list(plan.subjects.values())
    counts = (f"{splits.count(s)} {s}" for s in ("train", "validation", "test"))
    return ", ".join(counts)


def _held_out(story: Story) -> list[str]:
    return list(story.settings.held_out) if story.settings else []


def _noise(noise: NoiseModel | None) -> str:
    """One line on the corruption: its name, and a fit's sites."""
    if noise is None:
        return "not recorded"
    labels = ", ".join(getattr(noise, "labels", ()))
    fitted = f", fitted from the scans of {labels}" if labels else ""
    return f"{noise.name}{fitted} (noise.yaml)"


def _evaluation(found: Evaluation | None) -> str:
    if found is None:
        return "Not evaluated: `medvae evaluate RUN --data SCANS` was not run.\n"
    lines = [f"- {escaped(sentence)}" for sentence in describe(found)]
    lines += [
        "",
        "| measure | value | 95 % interval | against | n |",
        "|---|---|---|---|---|",
    ]
    for row in headline_rows({found.run: found}):
        (cell,) = row["cells"]
        interval = cell["ci95"].strip("()")
        lines.append(
            f"| {escaped(row['words'])} | {cell['value']} | {interval} | "
            f"{row['against']} | {row['n']} |"
        )
    lines += [f"- {escaped(note)}" for note in found.notes]
    return "\n".join(lines) + "\n"


def described(story: Story) -> str:
    """The story as JSON text, for tools that read no Markdown."""
    plan = story.plan
    content = {
        "sites": list(plan.sites) if plan else [],
        "held_out": _held_out(story),
        "noise": story.noise.name if story.noise else None,
        "metrics": story.evaluation.as_dict()["metrics"] if story.evaluation else {},
    }
    return json.dumps(content, indent=2) + "\n"
