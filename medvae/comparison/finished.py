"""What is kept of an arm that is done: the setting that was chosen, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medvae.comparison.selection import Validation, choose
from medvae.errors import UserError
from medvae.inputs import AGAIN, checked, read_record


@dataclass(frozen=True)
class Finished:
    """What done.json says of a unit; what its digest is of, `Unit.digest` knows.

    Args:
        choice: Number of the chosen setting.
        settings: All of them.
        validation: Of each, by its number; empty where there was no choice.
        energy: Of the corruption; None where nothing was trained.
        factor: By which preset levels were multiplied, likewise.
    """

    digest: str
    choice: int
    settings: list[dict[str, Any]]
    validation: dict[int, Validation]
    energy: float | None
    factor: float | None


def read_finished(path: Path) -> Finished:
    """What `medvae.comparison.unit.run_unit` has written.

    Raises:
        UserError: It is damaged.

    Example:
        >>> import tempfile
        >>> from dataclasses import asdict
        >>> from medvae.files import write_json
        >>> path = Path(tempfile.mkdtemp()) / "done.json"
        >>> write_json(path, asdict(Finished("00", 0, [{}], {}, 0.5, None)))
        >>> read_finished(path).energy
        0.5
    """
    found = checked(Finished, read_record(path, AGAIN), path, AGAIN)
    if not 0 <= found.choice < len(found.settings):
        raise UserError(f"{path}: choice: no setting {found.choice}. {AGAIN}")
    if found.validation and (right := choose(found.validation)) != found.choice:
        raise UserError(
            f"{path}: choice: setting {found.choice}, by its validation {right}. "
            f"{AGAIN}"
        )
    return found
