"""Small pieces of HTML that notebooks show in place of a repr."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from medvae.report.embed import slice_png
from medvae.report.sides import PLANES


def table(title: str, rows: Sequence[Mapping[str, object]]) -> str:
    """A title and a table, all text escaped.

    Example:
        >>> table("A <b>", [{"site": "NYU", "scans": 3}])[:26]
        '<p><strong>A &lt;b&gt;</st'
    """
    text = f"<p><strong>{escape(title)}</strong></p>"
    if not rows:
        return text
    head = "".join(f"<th>{escape(key)}</th>" for key in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in row.values()) + "</tr>"
        for row in rows
    )
    return f"{text}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def notes(sentences: Sequence[str], most: int = 10) -> str:
    """A list of sentences; the rest of a long one is counted."""
    shown = [f"<li>{escape(sentence)}</li>" for sentence in sentences[:most]]
    if len(sentences) > most:
        shown.append(f"<li>and {len(sentences) - most} more</li>")
    return f"<ul>{''.join(shown)}</ul>" if shown else ""


def pictures(volumes: Mapping[str, NDArray[np.floating]]) -> str:
    """Middle axial planes side by side, each from its own 1st to 99th percentile.

    Args:
        volumes: By caption, (X, Y, Z), RAS+.
    """
    shown = []
    for caption, volume in volumes.items():
        low, high = np.percentile(volume, (1, 99))
        source = slice_png(volume, (float(low), float(max(high, low + 1e-6))))
        shown.append(
            '<figure style="display:inline-block;margin:.3em;position:relative">'
            f'<img src="{source}" alt="{escape(caption)}" '
            'style="width:8em;image-rendering:pixelated">'
            f"{_letters()}<figcaption>{escape(caption)}</figcaption></figure>"
        )
    return "".join(shown)


def _letters() -> str:
    """Which side is which, in the upper corners of the picture before."""
    style = "position:absolute;top:0;padding:0 .2em;color:#fff;background:#000"
    return "".join(
        f'<small style="{style};{corner}:0">{letter}</small>'
        for letter, corner in zip(PLANES["axial"][1], ("left", "right"), strict=True)
    )
