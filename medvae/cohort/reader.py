"""Any of the layouts people have, told apart by looking."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from medvae.cohort.bids import is_bids, read_bids
from medvae.cohort.cohort import Cohort, Scan
from medvae.cohort.datalist import read_datalist
from medvae.cohort.fets import is_partitioning, read_partitioning
from medvae.cohort.folders import read_folders
from medvae.cohort.labels import is_scan_name, parse_name
from medvae.cohort.people import doubtful_people, named_by_folder
from medvae.cohort.site import SiteRule, parse_rule
from medvae.cohort.table import read_table
from medvae.errors import UserError
from medvae.inputs import is_there, near, read_text, refuse_special
from medvae.problem import Problem
from noise_models.plain_yaml import read_plain


class Pointer(BaseModel):
    """``medvae.yaml``: which data a folder works on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str
    site_from: str | None = None
    suffix: str = "T1w"


BY_DEFAULT = Path("medvae.yaml")
"""Where the data is named for who does not name it."""


def read_cohort(data: Path | str, site_from: str | None = None) -> Cohort:
    r"""Read who was scanned where; no image is opened.

    Args:
        data: A BIDS root, a folder per site, a CSV/TSV, a MONAI datalist (JSON), or
            a ``medvae.yaml`` naming one of them.
        site_from: Where the site label lives, such as ``participants:center``,
            ``session:^([A-Z]+)``, ``sidecar:Manufacturer+DeviceSerialNumber``,
            ``folder`` or ``filename:-(\w+)-``; by default it is looked for.

    Raises:
        UserError: The data cannot be read; names file, row and remedy.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "IXI012-HH-1211-T1.nii.gz").touch()
        >>> read_cohort(folder).scans[0].site
        'HH'
    """
    path = Path(data)
    if path.suffix.lower() in {".yaml", ".yml"}:
        pointer = _pointer(path)
        target = path.parent / pointer.data
        if target.suffix.lower() in {".yaml", ".yml"}:
            raise UserError(
                f"{path}: data must not be another YAML, got {target}. "
                "Name the data itself."
            )
        chosen = site_from or pointer.site_from
        return _read(target, parse_rule(chosen), pointer.suffix)
    return _read(path, parse_rule(site_from), "T1w")


def read_site_folders(folders: Sequence[Path]) -> Cohort:
    """Read folders that are a site each; the name of each is its site.

    Args:
        folders: Directories of scans.

    Raises:
        UserError: One of them cannot be read.
    """
    scans: list[Scan] = []
    problems: list[Problem] = []
    for folder in folders:
        inside = read_cohort(folder)
        here = [_alone(scan, folder) for scan in inside.scans]
        scans += named_by_folder(here, folder)
        doubts = doubtful_people(inside.scans, inside.root)  # of its folders as sites
        problems += [problem for problem in inside.problems if problem not in doubts]
    problems += doubtful_people(scans, folders[0].parent)
    return Cohort(folders[0].parent, "folder per site", tuple(scans), tuple(problems))


def _alone(scan: Scan, site: Path) -> Scan:
    """As its name has it: what lies below the folder of a site is no site."""
    who = parse_name(scan.path.relative_to(site)).subject
    return replace(scan, subject=who, site=site.resolve().name)


def _read(path: Path, rule: SiteRule | None, suffix: str) -> Cohort:
    if not is_there(path):
        raise UserError(
            f"{path}: not found.{near(path)} Name a folder, a table or a datalist."
        )
    refuse_special(path)
    if path.is_dir():
        read = read_bids if is_bids(path) else read_folders
        try:
            return read(path, rule, suffix)
        except FileNotFoundError as error:
            raise UserError(
                f"{path}: {error.filename} went away while the folder was read. "
                "Wait until nothing writes there, and start again."
            ) from None
    kind = path.suffix.lower()
    if kind in {".csv", ".tsv"}:
        if kind == ".csv" and is_partitioning(path):
            return read_partitioning(path)
        return read_table(path, rule)
    if kind == ".json":
        return read_datalist(path, rule)
    what = "one scan" if is_scan_name(path) else f"a {kind or 'nameless'} file"
    raise UserError(
        f"{path}: {what}, not a cohort. Name a folder, a CSV/TSV or a datalist JSON."
    )


def _pointer(path: Path) -> Pointer:
    if not is_there(path):
        meant = near(path) if path != BY_DEFAULT else ""  # nobody typed that
        raise UserError(
            f"{path} not found.{meant} Name the data (--data DATA), or write a "
            "medvae.yaml with a line such as: data: my_bids"
        )
    try:
        content: Any = read_plain(read_text(path))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not readable YAML ({reason}). Mend it.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: says no data. Write a line such as: data: my_bids")
    known = tuple(Pointer.model_fields)
    for key in content:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, 1, 0.4)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            names = ", ".join(known)
            raise UserError(f"{path}: unknown key {key!r}; known: {names}.{hint}")
    try:
        return Pointer(**content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path}: {key}: {first['msg']}, got {repr(first.get('input'))[:60]}. "
            "Correct the line."
        ) from None
