"""A folder of a comparison belongs to one set of settings and scans from its start.

What was killed half-way is gone on with, so it must be what would be made now: a fit or
a trained run that an earlier command has left may have seen the site that this one
keeps out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medvae.errors import UserError
from medvae.files import write_json
from medvae.inputs import AGAIN, read_record

BEGUN = "begun.json"


def mark_of(content: Any) -> str:  # noqa: ANN401 (anything JSON holds)
    """SHA-256 of everything that decides a result.

    Example:
        >>> mark_of({"a": 1, "b": 2}) == mark_of({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def check_mark(path: Path, mark: str) -> bool:
    """Whether a file carries a mark; False where there is no file.

    Raises:
        UserError: It carries another.
    """
    if not path.exists():
        return False
    if read_record(path, AGAIN).get("digest") != mark:
        done = "begun" if path.name == BEGUN else "finished"
        raise UserError(
            f"{path.parent}: {done} with other settings or scans. Remove it, or "
            "choose another folder with -o."
        )
    return True


def claim(marks: Mapping[Path, str]) -> None:
    """Note what folders are begun with, before anything else is in them.

    Raises:
        UserError: One was begun with something else; then none is claimed.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "none"
        >>> claim({folder: "a" * 64})
        >>> claim({folder: "a" * 64})
        >>> claim({folder: "b" * 64})  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        medvae.errors.UserError: ...none: begun with other settings or scans.
    """
    new = {f: mark for f, mark in marks.items() if not check_mark(f / BEGUN, mark)}
    for folder, mark in new.items():
        write_json(folder / BEGUN, {"digest": mark})
