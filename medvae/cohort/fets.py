"""FeTS 2022: ``partitioning_1.csv`` names institutions, folders hold the scans."""

from __future__ import annotations

from pathlib import Path

from medvae.cohort.cohort import Cohort, Scan
from medvae.cohort.covariates import cell
from medvae.cohort.rows import read_rows
from medvae.errors import UserError
from medvae.problem import Problem

_COLUMNS = {"partition_id", "subject_id"}


def is_partitioning(path: Path) -> bool:
    """Whether a table has FeTS's two columns and no paths."""
    with path.open(encoding="utf-8-sig", errors="replace") as handle:
        header = {name.strip().casefold() for name in handle.readline().split(",")}
    return header == _COLUMNS


def read_partitioning(path: Path) -> Cohort:
    """Read ``Subject_ID/Subject_ID_t1.nii.gz`` beside the table, by institution.

    Raises:
        UserError: A row without subject or partition; names the row.
    """
    scans, problems = [], []
    for number, row in read_rows(path):
        subject, site = cell(row, ("subject_id",)), cell(row, ("partition_id",))
        if subject is None or site is None:
            raise UserError(f"{path}, row {number}: an empty cell. Fill it in.")
        folder = path.parent / subject
        files = sorted(folder.glob(f"{subject}_t1.nii*"))
        if files:
            scans.append(Scan(files[0], subject, site))
        else:
            what = f"no {subject}_t1.nii.gz in it"
            problems.append(Problem(folder, what, "Copy the folder again."))
    return Cohort(path, "FeTS partitioning", tuple(scans), tuple(problems))
