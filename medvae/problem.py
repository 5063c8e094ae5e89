"""Something wrong with a file, and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Problem:
    """Something wrong with one file, and what to do about it.

    Example:
        >>> print(Problem(Path("a.nii"), "every voxel is 0", "Remove the scan."))
        a.nii: every voxel is 0. Remove the scan.
    """

    path: Path
    message: str
    remedy: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}. {self.remedy}"
