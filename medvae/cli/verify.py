"""verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.console import say, warn
from medvae.errors import UserError


def verify(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder that medvae train wrote.")
    ],
) -> None:
    """Check that a run is what it was when its training ended.

    Every file is digested again and held against seal.json, and a sample is encoded
    again. Exit code 2 if anything differs.

    Example: medvae verify runs/scanner
    """
    from medvae.training.seal import SEALED, check_seal

    found = check_seal(run)
    for line in found.software:
        warn(f"other software than at the training: {line}")
    if found.changed:
        raise UserError(
            f"{run}/{found.changed[0]}: changed since the run was sealed"
            + (f", as are {', '.join(found.changed[1:])}" if found.changed[1:] else "")
            + ". Restore the run from a copy, or train again."
        )
    if not found.is_good:
        raise UserError(
            f"{run}: a sample is encoded otherwise than at the training, by "
            f"{found.largest:.2g}. Install the software that seal.json names."
        )
    how = "to the last bit" if found.same_bits else f"within {found.largest:.1g}"
    say(f"{run}: {len(SEALED)} files unchanged; the sample is encoded as then, {how}")
