"""Who was scanned at several sites, and which of their scans are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

FEWEST = 3  # people seen at both sites, below which a pair says nothing
NEIGHBOURS = 4  # of many sites, each is compared with this many that follow

Visit = tuple[str, int, int]
"""A person, and the numbers of one scan at A and one at B."""


def shared_visits(
    people: Mapping[str, Sequence[str]],
) -> dict[tuple[str, str], list[Visit]]:
    """For every pair of sites the visits of the people whom both have scanned.

    The first scan at A goes with the first at B, the second with the second. The work
    grows with the number of sites, not with its square: of more than five, each is
    compared with the next four.

    Args:
        people: For every site who was scanned, in the order of its scans.

    Example:
        >>> shared_visits({"A": ["T1", "x", "T1"], "B": ["T1"], "C": ["T1", "x"]})
        {('A', 'B'): [('T1', 0, 0)], ('A', 'C'): [('T1', 0, 0), ('x', 1, 1)],
         ('B', 'C'): [('T1', 0, 0)]}
    """
    visits: dict[tuple[str, str], list[Visit]] = {}
    for (i, a), (j, b) in combinations(enumerate(people), 2):
        if j - i > NEIGHBOURS:
            continue
        found = [
            (who, first, second)
            for who in sorted(set(people[a]) & set(people[b]))
            for first, second in zip(
                _scans_of(who, people[a]), _scans_of(who, people[b]), strict=False
            )
        ]
        if found:
            visits[a, b] = found
    return visits


def people_in(visits: Sequence[Visit]) -> int:
    """Number of people; one of them may come twice.

    Example:
        >>> people_in([("T1", 0, 0), ("T1", 1, 1), ("T2", 2, 2)])
        2
    """
    return len({who for who, _, _ in visits})


def check_travelers(people: Mapping[str, Sequence[str]]) -> None:
    """Refuse a paired fit without enough people.

    Raises:
        ValueError: No two sites share three people; the message has the number.

    Example:
        >>> check_travelers({"A": ["T1", "T2"], "B": ["T1", "x"]})
        Traceback (most recent call last):
        ValueError: a paired fit needs at least 3 people scanned at both of two sites,
        got 1 (A and B). Scans belong to one person when their subject label is the
        same.
    """
    counts = {pair: people_in(found) for pair, found in shared_visits(people).items()}
    most = max(counts, key=lambda pair: counts[pair], default=None)
    if most is not None and counts[most] >= FEWEST:
        return
    got = "0" if most is None else f"{counts[most]} ({most[0]} and {most[1]})"
    raise ValueError(
        f"a paired fit needs at least {FEWEST} people scanned at both of two sites, "
        f"got {got}. Scans belong to one person when their subject label is the same."
    )


def _scans_of(who: str, people: Sequence[str]) -> list[int]:
    return [i for i, name in enumerate(people) if name == who]
