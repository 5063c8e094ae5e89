"""The part of docs/generalisation.md on arms at the same setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from measured.cells import Result, shown, table, verdict

_TEXT = """## At the same setting

The arms above are each at the setting that was chosen for them, on a few validation
people, so two arms may differ by that choice alone. Here nothing is chosen: all arms
that were trained with both settings, at one of them; {challenger} less the other arm;
and the share of the way from the generic arm of that setting to the oracle (empty where
the oracle is no better).
"""


def same_setting_section(
    rows: Sequence[Result],
    challenger: str,
    measures: Mapping[str, str],
) -> str:
    """Arms at each setting that they share, Markdown.

    Args:
        rows: ``same_setting`` of the comparison.
        challenger: Whose differences are told.
        measures: Words for the measures that are told.
    """
    parts = [_TEXT.format(challenger=f"*{challenger}*")]
    for row in rows:
        words = ", ".join(f"{k} {v}" for k, v in row["settings"].items())
        values = [
            [name, *(shown(numbers.get(k)) for k in measures)]
            for name, numbers in row["arms"].items()
        ]
        changes = [
            [f"less {name}", *(verdict(by.get(k)) for k in measures)]
            for name, by in row["differences"].items()
        ]
        shares = [
            [f"{name}, share", *(shown(by.get(k)) for k in measures)]
            for name, by in row["shares"].items()
        ]
        parts += [
            f"### {words}\n",
            table(["arm", *measures.values()], values),
            table([challenger, *measures.values()], changes),
            *(
                [table(["way to the oracle", *measures.values()], shares)]
                * bool(shares)
            ),
        ]
    return "\n".join(parts)
