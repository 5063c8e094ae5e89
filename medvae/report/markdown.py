r"""Labels and paths of a user's, made plain text in a Markdown page.

A site called ``<script>`` or ``a | b`` must neither run in the page that a hub makes of
a model card, nor tear a table.
"""

from __future__ import annotations

import html
import re

from medvae.plain import plain

_MARKS = re.compile(r"([\\`*_{}\[\]|~!#])")


def escaped(text: str) -> str:
    r"""Text that a Markdown page shows as it is, on one line.

    Example:
        >>> escaped("<b>UM_1\n| x")
        '&lt;b&gt;UM\\_1 \\| x'
    """
    line = _MARKS.sub(r"\\\1", _one_line(text))
    return html.escape(line, quote=False).replace("://", "&#58;//")


def code(text: str) -> str:
    """Text as a span of code, whatever it holds.

    Example:
        >>> code("medvae encode"), code("a`b")
        ('`medvae encode`', '`` a`b ``')
    """
    line = _one_line(text)
    if "`" not in line:
        return f"`{line}`"
    fence = "`" * (1 + max(map(len, re.findall("`+", line))))
    return f"{fence} {line} {fence}"


def _one_line(text: str) -> str:
    return plain(" ".join(text.split()))
