"""MONAI datalists: JSON with sections of ``{"image": ..., "site": ...}``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medvae.cohort.cohort import Cohort, Scan
from medvae.cohort.covariates import (
    AGE_COLUMNS,
    SEX_COLUMNS,
    SITE_COLUMNS,
    cell,
    other_columns,
    parse_age,
    parse_sex,
)
from medvae.cohort.labels import parse_name
from medvae.cohort.site import SiteRule
from medvae.cohort.table import (
    KNOWN_COLUMNS,
    MASK_COLUMNS,
    SESSION_COLUMNS,
    SPLIT_COLUMNS,
    SPLITS,
    SUBJECT_COLUMNS,
    parse_split,
)
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
        content = read_json(path)
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not readable JSON ({error}). Mend it.") from error
    sections = _sections(path, content)
    scans = []
    for name, items in sections.items():
        split = SPLITS[name.casefold()] if len(sections) > 1 else None
        for number, item in enumerate(items):
            scans.append(_scan(path, f"{path}, {name}[{number}]", item, split, rule))
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


def _scan(
    path: Path, where: str, item: object, split: str | None, rule: SiteRule | None
) -> Scan:
    row = _row(where, item)
    name = row["image"]
    parts = parse_name(Path(name))
    try:
        age = parse_age(cell(row, AGE_COLUMNS) or parts.age)
    except ValueError as error:
        raise UserError(f"{where}: {error}. Correct it or leave it out.") from None
    session = cell(row, SESSION_COLUMNS) or parts.session
    session = session.removeprefix("ses-") if session else None
    image = path.parent / name
    mask = cell(row, MASK_COLUMNS)
    site = cell(row, SITE_COLUMNS) or parts.site
    if rule:
        site = rule.site(image, path.parent, session, {"column": row})
    return Scan(
        image,
        (cell(row, SUBJECT_COLUMNS) or parts.subject).removeprefix("sub-"),
        site,
        session,
        age,
        parse_sex(cell(row, SEX_COLUMNS) or parts.sex),
        path.parent / mask if mask else None,
        parse_split(cell(row, SPLIT_COLUMNS), where) or split,
        other_columns(row, KNOWN_COLUMNS),
    )


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
    image = item.get("image")
    if not isinstance(image, str) or not image:
        raise UserError(
            f"{where}: 'image' must be one path, got {repr(image)[:60]}. "
            "Correct the item."
        )
    return {str(k): "" if v is None else str(v) for k, v in item.items()}
