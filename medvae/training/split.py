"""Who is learned from, who is watched, and who is kept for the end."""

from __future__ import annotations

from collections import Counter

from medvae.cohort import Cohort, split_subjects

Splits = dict[str, str]
FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}


def assign_splits(cohort: Cohort, held_out: tuple[str, ...], seed: int) -> Splits:
    """Give every subject one split: train, validation, test or held-out.

    Travelers are the only ground truth of what another scanner would have seen, so
    all of them are kept for the test. Subjects seen at held-out sites alone are
    ``held-out``. The rest is split by subject, the same at every site. A split that
    the data itself declares stands.

    Args:
        cohort: All scans, held-out sites included.
        held_out: Sites that training must not see.
        seed: Decides the split.

    Returns:
        Split by subject.
    """
    splits = dict.fromkeys(cohort.travelers(), "test")
    splits |= {scan.subject: scan.split for scan in cohort.scans if scan.split}
    rest = cohort.without_sites(held_out)
    outside = {scan.subject for scan in cohort.scans}
    outside -= {scan.subject for scan in rest.scans}
    splits |= dict.fromkeys(outside - set(splits), "held-out")
    residents = rest.without_subjects(splits)
    for name, part in split_subjects(residents, FRACTIONS, seed=seed).items():
        splits |= {scan.subject: name for scan in part.scans}
    return splits


def told(splits: Splits, cohort: Cohort, held_out: tuple[str, ...]) -> str:
    """The split in one line.

    Example:
        >>> from pathlib import Path
        >>> nobody = Cohort(Path(), "table", ())
        >>> told({"a": "train", "b": "train", "c": "test"}, nobody, ())
        'split, by person: 2 train, 0 validation, 1 test'
    """
    parts = [
        f"{sum(split == name for split in splits.values())} {name}"
        for name in FRACTIONS
    ]
    text = f"split, by person: {', '.join(parts)}"
    travelers = [t for t in cohort.travelers() if splits.get(t) == "test"]
    if travelers:
        text += f" ({len(travelers)} of them, seen at several sites, always)"
    if held_out:
        apart = sum(split == "held-out" for split in splits.values())
        text += f"; {apart} at {', '.join(held_out)} alone are held out"
    return text


def told_scans(splits: Splits, cohort: Cohort, held_out: tuple[str, ...]) -> str:
    """How many scans each split has, in words.

    Example:
        >>> from pathlib import Path
        >>> from medvae.cohort import Scan
        >>> scans = Scan(Path("a"), "a", "A"), Scan(Path("b"), "b", "B")
        >>> two = Cohort(Path(), "table", scans)
        >>> told_scans({"a": "train", "b": "held-out"}, two, ("B",))
        '2 scans: 1 to train on, 0 to validate, 0 to test, 1 held out'
    """
    found = Counter(
        "held-out" if scan.site in held_out else splits[scan.subject]
        for scan in cohort.scans
    )
    return (
        f"{len(cohort)} scans: {found['train']} to train on, {found['validation']} to "
        f"validate, {found['test']} to test, {found['held-out']} held out"
    )
