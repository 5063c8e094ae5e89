"""Who was scanned where: reading, checking and splitting a cohort."""

from medvae.cohort.check import check_cohort, examine_cohort
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
]
