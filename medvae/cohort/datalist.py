"""MONAI datalists: JSON with sections of ``{"image": ..., "site": ...}``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medvae.cohort.cohort import Cohort
from medvae.cohort.described import KNOWN_COLUMNS, SPLITS, described_scan
from medvae.cohort.site import SiteRule
from medvae.errors import UserError
from medvae.inputs import read_json

_KEYS = ("image", "label", "mask", "site", "subject", "session", "age", "fold", "split")


def read_datalist(path: Path, rule: SiteRule | None = None) -> Cohort:
    """Read a MONAI datalist; image paths are relative to it.

    ``training``, ``validation`` and ``testing`` become splits where there is more
    than one of them: a single section only says what there is.

    Raises:
        UserError: Not such a file, or an item that cannot be used; names the item.
    """
    try:
        content = read_json(path, keys_once=True)
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not readable JSON ({error}). Mend it.") from error
    sections = _sections(path, content)
    scans = []
    for name, items in sections.items():
        split = SPLITS[name.casefold()] if len(sections) > 1 else None
        for number, item in enumerate(items):
            where = f"{path}, {name}[{number}]"
            row = _row(where, item)
            scans.append(
                described_scan(row["image"], row, path.parent, where, rule, split)
            )
    if not scans:
        raise UserError(f'{path}: no items. Write {{"training": [{{"image": ...}}]}}.')
    return Cohort(path, "MONAI datalist", tuple(scans))


def _sections(path: Path, content: object) -> dict[str, list[Any]]:
    if isinstance(content, list):
        return {"training": content}
    if not isinstance(content, dict):
        raise UserError(f"{path}: must be an object with 'training', a list. Mend it.")
    found = {}
    for name, items in content.items():
        if name.casefold() in SPLITS and isinstance(items, list):
            found[name] = items
        elif isinstance(items, list) and items and isinstance(items[0], dict):
            near = difflib.get_close_matches(name, SPLITS, 1, 0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UserError(f"{path}: unknown section {name!r}.{hint}")
    return found


def _row(where: str, item: object) -> dict[str, str]:
    if isinstance(item, str):
        return {"image": item}
    if not isinstance(item, Mapping):
        raise UserError(
            f"{where}: must be an object with 'image', got {repr(item)[:60]}. "
            "Correct the item."
        )
    for key in item:
        near = difflib.get_close_matches(str(key).casefold(), _KEYS, 1, 0.8)
        if near and str(key).casefold() not in {*_KEYS, *KNOWN_COLUMNS}:
            raise UserError(f"{where}: unknown key {key!r}. Did you mean {near[0]!r}?")
    folded = [str(key).strip().casefold() for key in item]
    twice = next((key for key in folded if folded.count(key) > 1), None)
    if twice is not None:
        raise UserError(f"{where}: {twice!r} twice. Correct the item.")
    for key, value in item.items():
        is_known = str(key).strip().casefold() in KNOWN_COLUMNS and key != "image"
        if is_known and isinstance(value, list | Mapping):
            raise UserError(
                f"{where}: {key!r} must be text or a number, got "
                f"{repr(value)[:60]}. Correct the item."
            )
    image = item.get("image")
    if not isinstance(image, str) or not image:
        raise UserError(
            f"{where}: 'image' must be one path, got {repr(image)[:60]}. "
            "Correct the item."
        )
    return {str(k): "" if v is None else str(v) for k, v in item.items()}
