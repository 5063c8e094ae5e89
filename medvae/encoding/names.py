"""What the files of a code are called, and which files they are named after."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from medvae.errors import UserError
from medvae.inputs import near

ENDING = "_latent.nii.gz"

_BIDS = re.compile(
    r"sub-[A-Za-z0-9]+(?:_[a-z]+-[A-Za-z0-9]+)*_(?P<suffix>[A-Za-z0-9]+)"
)


def stem(path: Path) -> str:
    """File name without ``.nii``, ``.nii.gz`` or ``.mgz``."""
    return path.name.removesuffix(".gz").removesuffix(".nii").removesuffix(".mgz")


def _flat(folder: str) -> str:
    """A folder's name as part of a file's: the root and ``..`` lead nowhere."""
    return folder.strip("/").replace("..", "") or "root"


def latent_file(name: str) -> Path:
    """Where the code of scan ``name`` lies, relative to the folder of codes.

    A BIDS name gives a BIDS derivative; the scan's suffix goes into ``desc``, so that
    the codes of a T1w and a T2w are two files.

    Example:
        >>> latent_file("sub-01_ses-a_T1w").as_posix()
        'sub-01/ses-a/anat/sub-01_ses-a_desc-medvaeT1w_latent.nii.gz'
        >>> latent_file("IXI002-Guys").as_posix()
        'IXI002-Guys_latent.nii.gz'
    """
    found = _BIDS.fullmatch(name)
    if not found:
        return Path(f"{name}{ENDING}")
    *entities, suffix = name.split("_")
    desc = [e.removeprefix("desc-") for e in entities if e.startswith("desc-")]
    kept = [e for e in entities if not e.startswith("desc-")]
    folder = Path(kept[0])
    if len(kept) > 1 and kept[1].startswith("ses-"):
        folder = folder / kept[1]
    words = "".join(d[:1].upper() + d[1:] for d in desc)
    target = "_".join([*kept, f"desc-medvae{words}{suffix}"])
    return folder / "anat" / f"{target}{ENDING}"


def stems(paths: Sequence[Path], named: Callable[[Path], str] = stem) -> list[str]:
    """A name for every scan; equal names take their folders' names along.

    Args:
        paths: The scans.
        named: The name of one where no other has it.

    Raises:
        UserError: A scan is given twice.

    Example:
        >>> stems([Path("A/x.nii.gz"), Path("B/x.nii.gz"), Path("B/y.nii")])
        ['A_x', 'B_x', 'y']
        >>> stems([Path("/x.nii"), Path("B/x.nii")])
        ['root_x', 'B_x']
    """
    depth, names = 0, [named(path) for path in paths]
    while len(set(names)) < len(names) and depth < 8:
        depth += 1
        seen = _counted(names)
        names = [
            "_".join((*map(_flat, path.parts[-1 - depth : -1]), named(path)))
            if seen[name] > 1
            else name
            for path, name in zip(paths, names, strict=True)
        ]
    if len(set(names)) < len(names):
        seen = _counted(names)
        twice = next(p for p, n in zip(paths, names, strict=True) if seen[n] > 1)
        raise UserError(f"{twice}: named twice. Give every scan once.")
    return names


def _counted(names: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def find_latents(places: Sequence[Path]) -> list[Path]:
    """The ``*_latent.nii.gz`` files that paths and folders name.

    Raises:
        UserError: A path does not exist or is no latent; nothing was found.
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            found += sorted(place.rglob(f"*{ENDING}"))
        elif not place.exists():
            raise UserError(
                f"{place}: file not found.{near(place)} Make it with: medvae encode."
            )
        elif not place.name.endswith(ENDING):
            raise UserError(f"{place}: not a latent. Name a *{ENDING} file.")
        else:
            found.append(place)
    if not found:
        raise UserError(f"{places[0]}: holds no *{ENDING}. Run medvae encode.")
    return found


def check_outputs(out: Path, names: Sequence[str], inputs: Sequence[Path]) -> None:
    """Refuse to write one image over another, or over a scan that is read.

    Raises:
        UserError: Names the file.
    """
    originals = {os.path.realpath(path) for path in inputs}
    seen = _counted(names)
    for name in names:
        if seen[name] > 1:
            raise UserError(f"{name}: two inputs have this name. Give them apart.")
        if os.path.realpath(out / name) in originals:
            raise UserError(
                f"{out / name}: would be overwritten. Choose another folder with -o."
            )
