"""The Hugging Face layout: config.json, model.safetensors and a card. No upload."""

from __future__ import annotations

import shutil
from pathlib import Path

from medvae.encoding import Encoder
from medvae.export.card import model_card, read_story
from medvae.files import atomic_path, write_text
from medvae.model.weights import save_model

BESIDE = ("noise.yaml", "config.yaml")


def write_huggingface(run: Path, encoder: Encoder, out: Path) -> list[str]:
    """Write what a hub takes; :meth:`medvae.Encoder.load` reads it like a run.

    ``splits.json`` and ``evaluation.json`` stay behind, because they hold the labels
    of people; the card has their counts and numbers.
    """
    card = model_card(read_story(run), encoder)
    save_model(encoder.vae, out)
    for name in BESIDE:
        if (run / name).exists():
            with atomic_path(out / name) as partial:
                shutil.copyfile(run / name, partial)
    write_text(out / "README.md", card)
    told = [f"Hugging Face layout in {out}; the card is README.md"]
    if (out / "noise.yaml").exists():
        told.append(
            "noise.yaml may name the scans it was fitted on: look before sharing"
        )
    return told
