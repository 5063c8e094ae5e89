"""Which images an earlier call has finished: what of, and the image's digest.

OUT/.made/<image>.json   what the image is made of, and where that lay, written before
                         it, so that an image without it is known to be another's; its
                         digest, written after it, to vouch for the whole of it
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medvae.errors import UserError
from medvae.files import digest, write_json
from medvae.inputs import DAMAGED, is_there, read_json

FOLDER = ".made"


@contextmanager
def vouched(
    image: Path, original: Path, made_of: Mapping[str, Any], **more: object
) -> Iterator[None]:
    """Write down what an image is made of, before and after it is written within.

    Args:
        image: To be written.
        original: The file that it is made of.
        made_of: Plain values that the image depends on.
        **more: Plain values worth keeping.

    Example:
        >>> import tempfile
        >>> image = Path(tempfile.mkdtemp()) / "a.nii.gz"
        >>> with vouched(image, Path("b.nii.gz"), {"scan": "12ab"}, changed=True):
        ...     _ = image.write_bytes(b"voxels")
        >>> finished(image, {"scan": "12ab"})["changed"]
        True
    """
    place = seen_from(image.parent, original)
    content = {"original": place, "made_of": dict(made_of), **more}
    write_json(_record(image), content | {"image_digest": None})
    yield
    write_json(_record(image), content | {"image_digest": digest(image)})


def finished(image: Path, made_of: Mapping[str, Any]) -> dict[str, Any] | None:
    """What :func:`vouched` wrote of an image, if it is whole and was made of the same.

    Args:
        image: Which need not exist.
        made_of: Plain values; one that is None is not known, and never the same.

    Example:
        >>> import tempfile
        >>> image = Path(tempfile.mkdtemp()) / "a.nii.gz"
        >>> with vouched(image, Path("b.nii.gz"), {"scan": "12ab"}):
        ...     _ = image.write_bytes(b"voxels")
        >>> finished(image, {"scan": "0"}) is None
        True
    """
    try:
        content = read_json(_record(image))
        same = content["made_of"] == {**made_of} and None not in made_of.values()
        return content if same and content["image_digest"] == digest(image) else None
    except (*DAMAGED, UserError):
        return None


def check_same(
    images: Sequence[Path],
    wanted: Mapping[str, str],
    told: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Refuse to write over images that were made with other settings, or by others.

    Args:
        images: To be written; those that are not there yet are free, as are those that
            a killed command has left, and those whose record is damaged.
        wanted: Settings that must be as :func:`vouched` wrote them down.
        told: Settings by image's name, as known from elsewhere.

    Raises:
        UserError: Names the first of them, what is known of it, and the remedy.
    """
    for image in images:
        if is_there(image) and (why := _why_not(image, wanted, told or {})):
            raise UserError(f"{image}: {why} Choose another folder with -o.")


def check_originals(
    images: Sequence[Path],
    originals: Sequence[Path],
    key: str,
    mark_of: Callable[[Path], str | None],
) -> None:
    """Refuse to write over the image of another file, which has the same name.

    One that was moved, copied or changed in its place is the same.

    Args:
        images: To be written.
        originals: That they are made of.
        key: Under which :func:`vouched` has written down the digest of an original.
        mark_of: The digest of an original as it is now; None for one that is not there.
            What was written down may go on after it, with the digest of a mask.

    Raises:
        UserError: Names the image, both files and the remedy.
    """
    for image, original in zip(images, originals, strict=True):
        if not is_there(image):
            continue
        try:
            record = read_json(_record(image))
            before, mark = record["original"], str((record["made_of"] | record)[key])
            same = os.path.realpath(image.parent / before) == os.path.realpath(original)
        except (*DAMAGED, UserError):
            continue
        now = None if same else mark_of(original)
        if now is not None and not mark.startswith(now):
            raise UserError(
                f"{image}: made of {before} by an earlier command, and would be "
                f"overwritten with that of {original}. Choose another folder with -o."
            )


def seen_from(folder: Path, path: Path) -> str:
    """A path as seen from a folder; a link at its end is not followed.

    Example:
        >>> seen_from(Path("a"), Path("b/c.nii.gz"))
        '../b/c.nii.gz'
    """
    return os.path.relpath(path.parent.resolve() / path.name, folder.resolve())


def _why_not(
    image: Path, wanted: Mapping[str, str], told: Mapping[str, Mapping[str, str]]
) -> str:
    before: Any = told.get(image.name)
    if is_there(_record(image)):
        try:
            before = {**read_json(_record(image))["made_of"]}
        except (*DAMAGED, UserError):
            before = before or wanted
    if before is None:
        return "not made by medvae, as far as is known, and would be overwritten."
    if not wanted.keys() <= before.keys():
        return "made by another command, and would be overwritten."
    differing = [key for key in wanted if before[key] != wanted[key]]
    return _words(differing[0], before, wanted) if differing else ""


def _words(key: str, was: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    before, now = was[key], wanted[key]
    if key in ("site", "to"):
        before, now = (name or "the average site" for name in (before, now))
        return (
            f"painted for {before} by an earlier command, and would be overwritten "
            f"for {now}."
        )
    return (
        f"made with {key} {before or 'none'} by an earlier command, and would be "
        f"overwritten with {now or 'none'}."
    )


def _record(image: Path) -> Path:
    return image.parent / FOLDER / f"{image.name}.json"
