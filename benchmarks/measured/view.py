"""The part of docs/generalisation.md on scans that end within the head."""

from __future__ import annotations

from statistics import fmean

from measured.cells import Result, shown, table

_TEXT = """## Scans that end within the head

Sites plan their scans otherwise: those of {site} end {end:.0f} mm below the middle of
the head, where those of other sites go on through the neck. That is a difference of
scanners, too. The fitted noise ends corrupted scans where those of the other site end,
and `harmonize` makes the code of what scans of the site asked for would show of a
scan; a neck that was not scanned nobody can add. What the second is worth, every
traveler's scan of a held-out site harmonised both ways, `{command}`, seed {seed},
{n} travelers; harmonised errors:
"""


def view_section(found: Result) -> str:
    """What codes of scans ended where the target's end change, Markdown."""
    arms, site = found["arms"], _shortest(found)
    rows = [
        [
            arm,
            *(shown(by[site][k]) for k in ("whole", "cut", "change")),
            *(_mean(by, kind) for kind in ("whole", "cut")),
        ]
        for arm, by in arms.items()
    ]
    head = _TEXT.format(
        site=site,
        end=-found["faces_mm"][site][2][0],
        command=found["command"],
        seed=found["seed"],
        n=next(iter(arms.values()))[site]["n"],
    )
    names = [
        *("arm", f"to {site}, of the whole scan", f"to {site}, ended", "change"),
        *("to all sites, of the whole scan", "to all sites, ended"),
    ]
    return head + "\n" + table(names, rows)


def _shortest(found: Result) -> str:
    """The site whose scans reach down least."""
    faces = found["faces_mm"]
    return max(faces, key=lambda site: float(faces[site][2][0]))


def _mean(by_target: Result, kind: str) -> str:
    return f"{fmean(by[kind]['mean'] for by in by_target.values()):.3f}"
