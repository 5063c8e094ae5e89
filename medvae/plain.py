"""Text from files and names, made harmless where it is shown."""

from __future__ import annotations

LONGEST = 500  # characters of an error; a damaged file can quote itself


def plain(text: str) -> str:
    r"""Text in which everything that is not printable is spelt out.

    Terminal escapes, bidirectional overrides and bytes of a name that are not UTF-8
    would otherwise act, deceive, or stop the print; a line end would forge a line.

    Example:
        >>> plain("a\x1b[31mb\udc80\nerror: c")
        'a\\x1b[31mb\\udc80\\nerror: c'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


def one_line(text: str) -> str:
    r"""An error as one line that can be read; its end, the remedy, is kept.

    Example:
        >>> one_line("a:\n  bad")
        'a: bad'
        >>> len(one_line("x" * 9999)) <= LONGEST
        True
    """
    line = plain(" ".join(text.split()))
    if len(line) <= LONGEST:
        return line
    half = LONGEST // 2 - 5
    return f"{line[:half]} [...] {line[-half:]}"
