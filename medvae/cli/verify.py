"""verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.console import leave_stdout, warn
from medvae.cli.outcome import Json, end

_CHANGED = (
    "changed since the run was sealed. Restore the run from a copy, or train again."
)


def verify(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder that medvae train wrote.")
    ],
    json: Json = False,
) -> None:
    """Check that a run is what it was when its training ended.

    Every file is digested again and held against seal.json, and a sample is encoded
    again. Exit code 2 if anything differs.

    Example: medvae verify runs/scanner
    """
    from medvae.training.seal import SEALED, check_seal

    leave_stdout(json)
    found = check_seal(run)
    for line in found.software:
        warn(f"other software than at the training: {line}")
    problems = [f"{run}/{file}: {_CHANGED}" for file in found.changed]
    if not found.changed and not found.is_good:
        problems.append(
            f"{run}: a sample is encoded otherwise than at the training, by "
            f"{found.largest:.2g}. Install the software that seal.json names."
        )
    how = "to the last bit" if found.same_bits else f"within {found.largest:.1g}"
    whole = f"{len(SEALED)} files unchanged; the sample is encoded as then, {how}"
    words = "not as it was sealed" if problems else whole
    end(f"{run}: {words}", problems, json=json)
