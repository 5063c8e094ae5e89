"""Who was scanned where: one scan, and many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from medvae.cohort.labels import composed
from medvae.problem import Problem


@dataclass(frozen=True)
class Scan:
    """One image file, whom it shows and which scanner made it.

    Labels are kept composed, see :func:`~medvae.cohort.labels.composed`.

    Args:
        path: NIfTI file.
        subject: The person, without ``sub-``; the same at every site.
        site: The scanner, or None where nothing tells.
        session: The visit, without ``ses-``.
        age: Years.
        sex: ``F``, ``M``, or as written.
        mask: NIfTI file on the same grid, or None.
        split: ``train``, ``validation``, ``test``, or None to be drawn.
        covariates: Every other column, as written.
    """

    path: Path
    subject: str
    site: str | None = None
    session: str | None = None
    age: float | None = None
    sex: str | None = None
    mask: Path | None = None
    split: str | None = None
    covariates: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in ("subject", "site", "session"):
            label = getattr(self, name)
            if label is not None and not label.isascii():
                object.__setattr__(self, name, composed(label))


@dataclass(frozen=True)
class Cohort:
    """Scans as one source of data describes them, and what is wrong with it.

    Args:
        root: Where it was read from.
        layout: What it was read as, such as ``BIDS``.
        scans: In a fixed order.
        problems: Found while reading or checking.

    Example:
        >>> here = Scan(Path("a.nii"), "T01", "NYU"), Scan(Path("b.nii"), "T01", "UM")
        >>> cohort = Cohort(Path("."), "table", here)
        >>> cohort.sites, list(cohort.travelers()), len(cohort.at("NYU"))
        (('NYU', 'UM'), ['T01'], 1)
    """

    root: Path
    layout: str
    scans: tuple[Scan, ...]
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.scans)

    @property
    def sites(self) -> tuple[str, ...]:
        """Site labels, sorted; scans without one are not counted."""
        return tuple(sorted({s.site for s in self.scans if s.site is not None}))

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subject labels, sorted."""
        return tuple(sorted({s.subject for s in self.scans}))

    def at(self, site: str) -> Cohort:
        """The scans of one site."""
        return self.keeping(s for s in self.scans if s.site == site)

    def travelers(self) -> dict[str, dict[str, Scan]]:
        """People scanned at two sites or more: their first scan at each."""
        seen: dict[str, dict[str, Scan]] = {}
        for scan in self.scans:
            if scan.site is not None:
                seen.setdefault(scan.subject, {}).setdefault(scan.site, scan)
        return {who: seen[who] for who in sorted(seen) if len(seen[who]) > 1}

    def without_sites(self, sites: Iterable[str]) -> Cohort:
        """All scans but those of some sites."""
        gone = set(sites)
        return self.keeping(s for s in self.scans if s.site not in gone)

    def without_subjects(self, subjects: Iterable[str]) -> Cohort:
        """All scans but those of some people."""
        gone = set(subjects)
        return self.keeping(s for s in self.scans if s.subject not in gone)

    def keeping(self, scans: Iterable[Scan]) -> Cohort:
        """The same cohort with these scans only."""
        return replace(self, scans=tuple(scans))

    def _repr_html_(self) -> str:
        """The cohort as a notebook shows it: a row a site, then what is wrong."""
        from medvae.cohort.summary import summarise
        from medvae.report.notebook import notes, table

        rows = summarise(self)
        title = f"{self.root}: {self.layout}, {len(self)} scans"
        return table(title, rows) + notes([str(p) for p in self.problems])
