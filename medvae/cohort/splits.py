"""Splits by person, alike at every site, the same for the same seed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping

from medvae.cohort.cohort import Cohort
from medvae.errors import UserError

FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}


def split_subjects(
    cohort: Cohort, fractions: Mapping[str, float] | None = None, seed: int = 0
) -> dict[str, Cohort]:
    """Split a cohort by subject, stratified by the sites that saw them.

    A person, with all scans at all sites, is in one split. Splits written in the
    data are kept; the rest is drawn. Each stratum is dealt by largest remainder, and
    ties go to the split that is furthest behind, so many small sites still add up.

    Args:
        cohort: All scans.
        fractions: Share of each split; they must sum to 1.
        seed: Decides who goes where.

    Raises:
        ValueError: Shares are negative or do not sum to 1.
        UserError: A split written in the data is not among ``fractions``.
    """
    shares = dict(FRACTIONS if fractions is None else fractions)
    if min(shares.values()) < 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"fractions must be >= 0 and sum to 1, got {shares}")
    chosen = _written(cohort, shares)
    behind = dict.fromkeys(shares, 0.0)
    for members in _strata(cohort, chosen).values():
        order = sorted(members, key=lambda who: _draw(seed, who))
        counts = _deal(len(order), shares, behind)
        for name, count in counts.items():
            behind[name] += shares[name] * len(members) - count
            chosen |= dict.fromkeys(order[:count], name)
            order = order[count:]
    return {
        name: cohort.keeping(s for s in cohort.scans if chosen[s.subject] == name)
        for name in shares
    }


def _written(cohort: Cohort, shares: Mapping[str, float]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for scan in cohort.scans:
        if scan.split is None:
            continue
        if scan.split not in shares:
            raise UserError(
                f"{scan.path}: split {scan.split!r} is not one of {', '.join(shares)}."
            )
        if chosen.setdefault(scan.subject, scan.split) != scan.split:
            raise UserError(
                f"{scan.path}: subject {scan.subject!r} is in splits "
                f"{chosen[scan.subject]} and {scan.split}. Put a person in one."
            )
    return chosen


def _strata(
    cohort: Cohort, placed: Mapping[str, str]
) -> dict[tuple[str, ...], list[str]]:
    """Subjects without a split, by the sites that saw them."""
    sites: dict[str, set[str]] = defaultdict(set)
    for scan in cohort.scans:
        sites[scan.subject].add(scan.site or "")
    strata: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for who in sorted(set(sites) - set(placed)):
        strata[tuple(sorted(sites[who]))].append(who)
    return dict(sorted(strata.items()))


def _deal(
    count: int, shares: Mapping[str, float], behind: Mapping[str, float]
) -> dict[str, int]:
    exact = {name: share * count for name, share in shares.items()}
    dealt = {name: int(value + 1e-9) for name, value in exact.items()}
    owed = {name: exact[name] - dealt[name] + behind[name] for name in shares}
    for _ in range(count - sum(dealt.values())):
        most = max(owed, key=lambda name: round(owed[name], 9))
        dealt[most] += 1
        owed[most] -= 1
    return dealt


def _draw(seed: int, subject: str) -> str:
    """A random order that one subject more or less does not stir up."""
    return hashlib.sha256(f"{seed}/{subject}".encode()).hexdigest()
