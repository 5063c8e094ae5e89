"""Valid bytes with something changed: where lies are likeliest to be believed."""

from __future__ import annotations

import random
import re

NUMBERS = [b"0", b"-1", b"1e999", b"NaN", b".inf", b"32000", b"99999999999999999999"]
WORDS = [
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"true",
    b"\xff",
    b"\x00",
    b"[",
    b"{",
    b'"',
    b"-",
]
TOKEN = re.compile(rb"[-+.\w]+")


def mangled(content: bytes, rng: random.Random) -> bytes:
    """One to four changes: of bytes, of words, of length."""
    for _ in range(rng.randint(1, 4)):
        content = rng.choice((_byte, _bits, _word, _cut, _twice, _swapped))(
            content, rng
        )
    return content


def _at(content, rng):
    """Somewhere, more often near the beginning, where headers are."""
    size = max(len(content), 1)
    return rng.randrange(min(size, 400)) if rng.random() < 0.6 else rng.randrange(size)


def _byte(content, rng):
    i = _at(content, rng)
    return content[:i] + bytes([rng.choice((0, 1, 127, 128, 255))]) + content[i + 1 :]


def _bits(content, rng):
    i = _at(content, rng)
    return content[:i] + rng.randbytes(rng.randint(1, 8)) + content[i + 8 :]


def _word(content, rng):
    found = [match.span() for match in TOKEN.finditer(content[:20_000])]
    if not found:
        return content
    start, end = rng.choice(found)
    return content[:start] + rng.choice(NUMBERS + WORDS) + content[end:]


def _cut(content, rng):
    return content[: _at(content, rng)] if rng.random() < 0.4 else content


def _twice(content, rng):
    i, n = _at(content, rng), rng.randint(1, 60)
    return content[: i + n] + content[i : i + n] + content[i + n :]


def _swapped(content, rng):
    i, j = sorted((_at(content, rng), _at(content, rng)))
    return content[:i] + content[j : j + 4] + content[i + 4 :]
