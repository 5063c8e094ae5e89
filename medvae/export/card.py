"""The model card: what it was made from, what was measured, where it ends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from medvae.encoding import Encoder
from medvae.errors import UserError
from medvae.evaluation import Evaluation, read_evaluation
from medvae.evaluation.report.rows import headline_rows
from medvae.evaluation.report.sentences import describe
from medvae.training.run_folder import Plan, read_plan
from medvae.version import __version__

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

    settings: dict[str, Any]
    noise: dict[str, Any]
    plan: Plan | None
    evaluation: Evaluation | None


def read_story(run: Path) -> Story:
    """Gather what lies beside the weights; a lone Hugging Face folder has little."""
    evaluated = run / "evaluation.json"
    return Story(
        _yaml(run / "config.yaml"),
        _yaml(run / "noise.yaml"),
        read_plan(run) if (run / "splits.json").exists() else None,
        read_evaluation(evaluated) if evaluated.exists() else None,
    )


def model_card(story: Story, encoder: Encoder) -> str:
    """README.md of a model, in the form that Hugging Face reads."""
    network = encoder.vae.config
    sites = story.plan.sites if story.plan else network.sites
    settings = story.settings
    shape = " × ".join(map(str, network.grid_shape))
    spacing = " × ".join(f"{step:g}" for step in network.spacing_mm)
    rows = {
        "Training sites": ", ".join(sites) or "not labelled",
        "Subjects": _subjects(story.plan),
        "Held-out sites": ", ".join(settings.get("held_out", ())) or "none",
        "Corruption": _noise(story.noise),
        "Objective": settings.get("objective", {}).get("name", "not recorded"),
        "Grid": f"{shape} voxels of {spacing} mm, laid over the head",
        "Latent": f"{network.latent}, shape {network.latent_shape}",
        "Weights": f"SHA-256 {encoder.model_digest}",
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
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


def _noise(noise: dict[str, Any]) -> str:
    """One line on the corruption: a preset's settings, or a fit's sites."""
    name = noise.get("model", "scanner" if "sites" in noise else "not recorded")
    if "sites" not in noise:
        return f"{name} (noise.yaml)"
    sites = noise["sites"]
    labels = [s.get("label", "?") if isinstance(s, dict) else str(s) for s in sites]
    return f"{name}, fitted from the scans of {', '.join(labels)} (noise.yaml)"


def _evaluation(found: Evaluation | None) -> str:
    if found is None:
        return "Not evaluated: `medvae evaluate RUN --data SCANS` was not run.\n"
    lines = [f"- {sentence}" for sentence in describe(found)]
    lines += [
        "",
        "| measure | value | 95 % interval | chance | n |",
        "|---|---|---|---|---|",
    ]
    for row in headline_rows({found.run: found}):
        (cell,) = row["cells"]
        interval = cell["ci95"].strip("()")
        lines.append(
            f"| {row['words']} | {cell['value']} | {interval} | {row['chance']} | "
            f"{row['n']} |"
        )
    lines += [f"- {note}" for note in found.notes]
    return "\n".join(lines) + "\n"


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: cannot be read ({reason}). Mend it.") from None
    return content if isinstance(content, dict) else {}


def described(story: Story) -> str:
    """The story as JSON text, for tools that read no Markdown."""
    plan = story.plan
    content = {
        "sites": list(plan.sites) if plan else [],
        "held_out": list(story.settings.get("held_out", ())),
        "noise": story.noise.get("model", "scanner" if story.noise else None),
        "metrics": story.evaluation.as_dict()["metrics"] if story.evaluation else {},
    }
    return json.dumps(content, indent=2) + "\n"
