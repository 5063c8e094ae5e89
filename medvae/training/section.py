"""What every part of a configuration has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Settings that refuse unknown keys and do not change once read.

    Example:
        >>> class Light(Section):
        ...     brightness: float = 1.0
        >>> Light().brightness
        1.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
