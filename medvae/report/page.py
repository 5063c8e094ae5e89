"""Write a report: one HTML file that needs no other file and no network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medvae.files import write_text
from medvae.report.sides import LEGEND


def breakable(text: str) -> Markup:
    """Text, escaped, whose lines end at a file name's separators, not in its words.

    Example:
        >>> breakable("sub-01_T1w.nii")
        Markup('sub-<wbr>01_<wbr>T1w.<wbr>nii')
    """
    return Markup("<wbr>").join(re.split(r"(?<=[_./-])", text))


def write_page(path: Path, package: str, content: Mapping[str, Any]) -> Path:
    """Fill a package's ``page.html.j2``; all text is escaped.

    Args:
        path: File to write.
        package: Python package that the template lies in; it extends
            ``frame.html.j2``.
        content: What it is filled with; a name that it lacks is an error.

    Returns:
        The path.
    """
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader(name, "") for name in (package, "medvae.report")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["sides"] = LEGEND
    environment.filters["breakable"] = breakable
    style = files("medvae.report").joinpath("page.css").read_text(encoding="utf-8")
    # Of our own file; nothing from outside is marked as safe.
    css = Markup(style)  # nosec B704
    text = environment.get_template("page.html.j2").render(content, css=css)
    write_text(path, text)
    return path
