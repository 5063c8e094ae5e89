"""Who was scanned where: reading, checking and splitting a cohort.

Nothing is imported before it is used: a cohort that is known is opened in a moment.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medvae.cohort.check import check_cohort, examine_cohort, without_bad
    from medvae.cohort.cohort import Cohort, Scan
    from medvae.cohort.index import examined_cohort
    from medvae.cohort.reader import read_cohort
    from medvae.cohort.splits import split_subjects
    from medvae.cohort.summary import summarise

__all__ = [
    "Cohort",
    "Scan",
    "check_cohort",
    "examine_cohort",
    "examined_cohort",
    "read_cohort",
    "split_subjects",
    "summarise",
    "without_bad",
]

_HOMES = {
    "check": ("check_cohort", "examine_cohort", "without_bad"),
    "cohort": ("Cohort", "Scan"),
    "index": ("examined_cohort",),
    "reader": ("read_cohort",),
    "splits": ("split_subjects",),
    "summary": ("summarise",),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"medvae.cohort.{home}"), name)
    raise AttributeError(f"module 'medvae.cohort' has no attribute {name!r}")
