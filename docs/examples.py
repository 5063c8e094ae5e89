"""Our docstrings say ``Example:``; the parser of the API pages knows ``Examples:``."""

from __future__ import annotations

from typing import Any

from griffe import Extension, Object


class PluralExamples(Extension):
    """Makes the examples of every docstring code in the site."""

    def on_object(self, *, obj: Object, **_: Any) -> None:  # noqa: ANN401 (griffe's own)
        """Rename the section."""
        if obj.docstring:
            text = obj.docstring.value
            obj.docstring.value = text.replace("\nExample:\n", "\nExamples:\n")
