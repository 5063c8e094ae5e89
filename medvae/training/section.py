"""What every part of a configuration has in common."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic import BaseModel, ConfigDict

_ARGUMENT = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def arguments(docstring: str) -> dict[str, str]:
    r"""What the section ``Args`` of a docstring says of each argument, on one line.

    Example:
        >>> arguments("A lamp.\n\nArgs:\n    level: Of light,\n        in lux.\n")
        {'level': 'Of light, in lux.'}
    """
    after = inspect.cleandoc(docstring).partition("\nArgs:\n")[2]
    told = re.split(r"\n(?=\S)", after)[0]  # up to the next section
    plain = told.replace("``", "")
    return {m[1]: " ".join(m[2].split()) for m in _ARGUMENT.finditer(plain)}


def describe(schema: dict[str, Any], section: type[BaseModel]) -> None:
    """Let a JSON schema say of every key what its section's docstring says."""
    words = section.__doc__ or ""
    schema["description"] = " ".join(words.partition("\n\n")[0].split())
    for name, meaning in arguments(words).items():
        schema["properties"][name]["description"] = meaning


class Section(BaseModel):
    """Settings that refuse unknown keys and do not change once read.

    Example:
        >>> class Light(Section):
        ...     brightness: float = 1.0
        >>> Light().brightness
        1.0
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, json_schema_extra=describe
    )
