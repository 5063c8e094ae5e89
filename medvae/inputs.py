"""Opening what others wrote: only regular files, of bounded size, of bounded depth."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from tokenize import TokenError
from typing import Any, TypeVar

from medvae.errors import UserError

Kind = TypeVar("Kind")
Number = Callable[[str], float]

DAMAGED = (
    EOFError,
    KeyError,
    OSError,
    OverflowError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
)
"""What damaged tables, arrays and JSON lead their readers to raise."""

MAX_TEXT = 2**26
"""Largest table or JSON that is read, bytes: half a million scans."""

MOST = 1e100
"""Largest number of a file that medvae wrote: its square and sums stay finite."""

AGAIN = "Remove it, and run the same command again."
"""Remedy for a file that a command makes when it is not there."""


def is_there(path: Path) -> bool:
    """Whether a path leads to something; False also for names no system can have.

    Example:
        >>> is_there(Path("a" * 9999))
        False
    """
    try:
        return path.exists()
    except OSError:
        return False


def near(path: Path, wanted: Callable[[Path], bool] = is_there) -> str:
    """What was perhaps meant by a path that leads nowhere; a sentence after a space.

    Args:
        path: Any of its folders may be the misspelt one.
        wanted: Which neighbours of that one can have been meant.

    Returns:
        Nothing, where no neighbour has a name like it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "my_scans").mkdir()
        >>> near(folder / "my_scnas").removeprefix(f" Did you mean '{folder}")
        "/my_scans'?"
    """
    import difflib  # here, because only mistakes need it

    if is_there(path):
        return ""
    wrong = path
    while not is_there(wrong.parent):
        wrong = wrong.parent
    try:
        beside = {p.name.casefold(): p for p in wrong.parent.iterdir() if wanted(p)}
    except OSError:  # a file is no folder, or a folder may not be read
        return ""
    close = difflib.get_close_matches(wrong.name.casefold(), beside, n=1)
    if not close:
        return ""
    meant = beside[close[0]]
    whole = meant / path.relative_to(wrong)
    nearest = str(whole if is_there(whole) else meant)
    return f" Did you mean {nearest!r}?"


def refuse_special(path: Path) -> None:
    """Refuse pipes and devices, which can be read for ever.

    Raises:
        UserError: Names the path.

    Example:
        >>> refuse_special(Path("/dev/zero"))
        Traceback (most recent call last):
        medvae.errors.UserError: /dev/zero: not a regular file. Give a file.
    """
    if not is_there(path):
        return
    kind = path.stat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise UserError(f"{path}: not a regular file. Give a file.")


def read_text(path: Path, most: int = MAX_TEXT) -> str:
    """Text of a UTF-8 file, with or without a byte-order mark.

    Raises:
        UserError: Not a regular file, or larger than ``most`` bytes.
        OSError: It cannot be opened.
        UnicodeDecodeError: It is not UTF-8.
    """
    refuse_special(path)
    size = path.stat().st_size
    if size > most:
        raise UserError(
            f"{path}: {size} bytes, but at most {most} are read. Is it the right file? "
            "Give another, or split it."
        )
    return path.read_text(encoding="utf-8-sig")


def read_json(path: Path, numbers: Number = float, *, keys_once: bool = False) -> Any:  # noqa: ANN401 (any JSON)
    """Content of a JSON file.

    Args:
        path: The file.
        numbers: Makes a number of its text, such as ``1e9`` or ``NaN``.
        keys_once: Refuse an object that has a key twice, else the last one counts.

    Raises:
        UserError: As of :func:`read_text`.
        OSError: It cannot be opened.
        ValueError: It is not UTF-8, not JSON, or nested without end.
    """
    try:
        return json.loads(
            read_text(path),
            parse_float=numbers,
            parse_constant=numbers,
            object_pairs_hook=_once if keys_once else None,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(k for k in keys if keys.count(k) > 1)!r} twice")
    return found


def read_record(path: Path, remedy: str) -> dict[str, Any]:
    """Content of a JSON file that medvae wrote, a mapping.

    Args:
        path: The file.
        remedy: What to do if it is damaged, a sentence.

    Raises:
        UserError: It is not such a file; ends in ``remedy``.
    """
    try:
        content = read_json(path, _finite)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: cannot be read ({reason}). {remedy}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: must hold keys and values. {remedy}")
    return content


def _finite(text: str) -> float:
    """A number; medvae writes no other."""
    number = float(text)
    if not abs(number) < MOST:
        raise ValueError(f"{text[:20]} is no number that medvae writes")
    return number


def checked(kind: type[Kind], content: object, path: Path, remedy: str) -> Kind:
    """Content of a file as a dataclass, every field of its type.

    Args:
        kind: The dataclass.
        content: What the file holds.
        path: The file.
        remedy: What to do if it is damaged, a sentence.

    Raises:
        UserError: A field is missing or of another type; ends in ``remedy``.

    Example:
        >>> from medvae.errors import UserError
        >>> checked(dict[str, int], {"a": 1}, Path("a.json"), "Write it again.")
        {'a': 1}
        >>> checked(dict[str, int], {"a": "b"}, Path("a.json"), "Write it again.")
        Traceback (most recent call last):
        ...
        medvae.errors.UserError: a.json: a: Input should be a valid integer, ...
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: {key}: {first['msg']}. {remedy}") from None
