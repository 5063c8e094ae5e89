"""The command that comes next, as the user would have to type it."""

from __future__ import annotations

import itertools
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medvae.cohort import Cohort


def command(*words: object, **options: object) -> str:
    """A medvae command to paste: what was asked for already is asked for again.

    Args:
        words: Verb and arguments.
        options: Value by name; None and False are left out, True is a flag, and a
            list names its option once for each.

    Example:
        >>> command("evaluate", Path("my runs/a"), data="scans", skip_bad=False)
        "medvae evaluate 'my runs/a' --data scans"
    """
    typed = ["medvae", *map(str, words)]
    for name, given in options.items():
        for value in given if isinstance(given, list) else [given]:
            if value is not None and value is not False:
                typed.append(f"--{name.replace('_', '-')}")
                typed += [] if value is True else [str(value)]
    return shlex.join(typed)


def reading(codes: Path) -> str:
    """A line to paste that opens Python with a folder of codes read.

    Example:
        >>> shlex.split(reading(Path("my codes")))[:3]
        ['python', '-i', '-c']
    """
    words = (
        "from medvae.encoding.table import read_table; "
        f"index, codes = read_table({str(codes)!r}); print(index, codes.shape)"
    )
    if any(sign in words for sign in '"$`\\!'):  # what double quotes let through
        return shlex.join(["python", "-i", "-c", words])
    return f'python -i -c "{words}"'


def codes_of(run: Path, cohort: Cohort) -> Path:
    """A folder for a run's codes of a cohort, without others: codes, codes-2, ...

    One that already holds codes of the same scans and weights will do, too.
    """
    from medvae.encoding.earlier import is_free_for
    from medvae.files import digest

    scans = [scan.path for scan in cohort.scans]
    model = digest(run / "model.safetensors")
    names = (f"codes-{k}" if k > 1 else "codes" for k in itertools.count(1))
    return next(f for f in map(Path, names) if is_free_for(f, scans, model))


def data_of(sites: list[str], data: Path | None) -> str | None:
    """Where the scans of fitted sites are: as asked for, or the folder above them.

    None where it need not be told: ``medvae.yaml`` here tells it.

    Example:
        >>> data_of(["NYU", "KKI"], Path("my_bids"))
        'my_bids'
    """
    if data is not None:
        return str(data)
    if not all(Path(site).is_dir() for site in sites):
        return None
    above = {Path(site).parent for site in sites}
    return str(above.pop()) if len(above) == 1 else "DATA"
