"""Checkpoints that appear whole or not at all, and are read as data alone."""

from __future__ import annotations

# Only the name of its error is used.
import pickle  # nosec B403
import struct
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from medvae.errors import UserError
from medvae.files import atomic_path
from medvae.inputs import refuse_special

ZIP = b"PK\x03\x04"  # what torch.save begins with
UNREADABLE = (  # the reader raises whatever damaged bytes lead it to
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
)


class WholeCheckpoints(TorchCheckpointIO):
    """Writes beside the target, then renames.

    Lightning's own way writes into the system's temporary folder and moves: a copy
    where that is another file system, and half a checkpoint if it is cut short.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: object = None,
    ) -> None:
        del storage_options  # of remote file systems
        with atomic_path(Path(path)) as partial, partial.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # of torch's own; what the disk said is below
                cause = error.__context__
                if not isinstance(cause, OSError):
                    raise
                raise OSError(cause.errno, cause.strerror, str(path)) from None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds; nothing in it is executed.

    Raises:
        UserError: It is damaged, or holds more than tensors and plain values.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "last.ckpt"
        >>> torch.save({"epoch": 3}, path)
        >>> read_checkpoint(path)
        {'epoch': 3}
    """
    refuse_special(path)
    content = None
    try:
        with path.open("rb") as file:  # the old format reads what a length promises
            is_zip = file.read(len(ZIP)) == ZIP
        if is_zip:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE:
        pass
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: not a checkpoint that medvae train wrote, or damaged. "
            "Restore it, or remove it to start the run over."
        )
    return content
