"""YAML as plain data: no tags that build objects, no aliases, no key twice.

An alias can make ten lines stand for gigabytes, and of a key that is written twice YAML
silently keeps the last; neither has a use in a file of settings or of fitted numbers.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

MAX_TEXT = 2**24
"""Longest text that is parsed, characters; a fit of fifty sites is a fifth of it."""


class _PlainLoader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()  # type: ignore[no-untyped-call]  # as in its stubs
            mark = event.start_mark
            raise yaml.composer.ComposerError(
                None, None, "aliases (*name) are not read: write the value out", mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # refused below: no dictionary takes such a key
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def plain_text(path: Path) -> str:
    """Text of a UTF-8 file that is not too long to be parsed.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is a pipe or a device, too long, or not UTF-8.

    Example:
        >>> plain_text(Path("/dev/zero"))
        Traceback (most recent call last):
        ValueError: /dev/zero: not a regular file. Give a file.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError(f"{path}: not a regular file. Give a file.")
    size = path.stat().st_size
    if size > 4 * MAX_TEXT:
        raise ValueError(f"{path}: {size} bytes are too many for YAML. Give another.")
    return path.read_text(encoding="utf-8")


def read_plain(text: str) -> Any:  # noqa: ANN401 (anything YAML holds)
    r"""What a YAML text holds.

    Raises:
        yaml.YAMLError: Not YAML, or more than plain data.

    Example:
        >>> read_plain("sigma: [0.1, 0.2]")
        {'sigma': [0.1, 0.2]}
        >>> read_plain("a: 1\na: 2")
        Traceback (most recent call last):
        yaml.constructor.ConstructorError: key 'a' is there twice
          in "<unicode string>", line 2, column 1:
            a: 2
            ^
    """
    if len(text) > MAX_TEXT:
        raise yaml.YAMLError(f"longer than {MAX_TEXT} characters")
    try:
        return _PlainLoader(text).get_single_data()
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None
    except (ValueError, OverflowError) as error:  # of dates and numbers
        raise yaml.YAMLError(str(error)) from None
