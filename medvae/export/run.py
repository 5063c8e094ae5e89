"""Choosing the form, and refusing to write over something else."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias, get_args

from medvae.encoding import Encoder
from medvae.errors import UserError
from medvae.lock import LOCK, sole_writer

Format: TypeAlias = Literal["monai-bundle", "onnx", "huggingface"]
FORMATS: tuple[str, ...] = get_args(Format)


def export_run(run: Path, out: Path, form: Format) -> list[str]:
    """Write a run in another form.

    Args:
        run: Run folder.
        out: Folder to write; new, or empty.
        form: ``monai-bundle`` runs with ``python -m monai.bundle``; ``onnx`` is checked
            against torch before it is kept; ``huggingface`` is what a hub takes.

    Returns:
        Sentences on what was written and checked.

    Raises:
        UserError: Not a finished run, or ``out`` holds something.
    """
    encoder = Encoder.load(run)
    with sole_writer(out):
        if any(path.name != LOCK for path in out.iterdir()):
            raise UserError(f"{out}: not empty. Choose another folder with -o.")
        return _export(run, encoder, out, form)


def _export(run: Path, encoder: Encoder, out: Path, form: Format) -> list[str]:
    if form == "onnx":
        from medvae.export.onnx import write_onnx

        return write_onnx(encoder, out)
    if form == "huggingface":
        from medvae.export.huggingface import write_huggingface

        return write_huggingface(run, encoder, out)
    from medvae.export.bundle import write_bundle

    return write_bundle(run, encoder, out)
