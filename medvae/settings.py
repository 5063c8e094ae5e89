"""Settings from YAML, checked against a model: one line says what is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from medvae.errors import UserError
from medvae.inputs import is_there, near, read_text
from noise_models.plain_yaml import read_plain

Settings = TypeVar("Settings", bound=BaseModel)


CONFIGS = (Path(__file__).parent / "configs", Path(__file__).parents[1] / "configs")
"""Settings that come with medvae: where a wheel has them, and a checkout."""


def shipped(path: Path) -> Path:
    """A file of settings, or one that comes with medvae, called by its name alone.

    Example:
        >>> shipped(Path("compare-small")).name, shipped(Path("my.yaml")).name
        ('compare-small.yaml', 'my.yaml')
    """
    if path.suffix or len(path.parts) != 1 or is_there(path):
        return path
    files = (folder / f"{path}.yaml" for folder in CONFIGS)
    return next((file for file in files if file.is_file()), path)


def read_settings(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file; an empty file has none.

    Args:
        path: The file, or the name of one that comes with medvae (:func:`shipped`).

    Raises:
        UserError: No such file, not YAML, or not a mapping.
    """
    try:
        content = read_plain(read_text(shipped(path)))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file.{near(path)} Check --config.") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: cannot be read as YAML: {reason}. Mend it.") from None
    if not isinstance(content, dict | None):
        raise UserError(f"{path}: must hold keys and values, got {content!r:.60}.")
    return content or {}


def check_settings(
    model: type[Settings], content: Mapping[str, Any], where: str
) -> Settings:
    """The settings, if they are right; ``where`` names their origin in the error.

    Raises:
        UserError: An unknown key (with the nearest known one) or a value out of range.

    Example:
        >>> class Dose(BaseModel, extra="forbid"):
        ...     level: float = 0.0
        >>> check_settings(Dose, {"levle": 1}, "dose.yaml")
        Traceback (most recent call last):
        ...
        medvae.errors.UserError: dose.yaml: unknown key 'levle'. Did you mean 'level'?
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = first["loc"]
        key = ".".join(map(str, place))
        if first["type"] == "extra_forbidden":
            hint = nearest(str(place[-1]), _keys_at(model, place[:-1]))
            raise UserError(f"{where}: unknown key {key!r}.{hint}") from None
        if first["type"] == "value_error":  # a sentence of our own
            reason = first["msg"].removeprefix("Value error, ")
            raise UserError(": ".join(filter(None, (where, key, reason)))) from None
        what = "must be given" if first["type"] == "missing" else first["msg"]
        got = repr(first["input"])[:60]
        raise UserError(f"{where}: {key}: {what}, got {got}.") from None


def nearest(word: str, known: list[str]) -> str:
    """What was perhaps meant, or all that is known; a sentence after a space.

    Example:
        >>> nearest("epoch", ["epochs", "batch_size"])
        " Did you mean 'epochs'?"
    """
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(known)}."


def _keys_at(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """The keys of the section that a place such as ("arms", 0) leads to."""
    for step in place:
        if isinstance(step, str):
            model = _section(model.model_fields[step].annotation) or model
    return list(model.model_fields)


def _section(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_section(part) for part in get_args(annotation))
    return next((found for found in inner if found), None)
