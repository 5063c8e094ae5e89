"""Which images an earlier call has finished: what of, and the image's digest.

OUT/.made/<image>.json   what the image was made of; written after it, so that it
                         vouches for the whole of it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medvae.errors import UserError
from medvae.files import digest, write_json
from medvae.inputs import DAMAGED, read_json

FOLDER = ".made"


def vouch(image: Path, made_of: Mapping[str, Any], **more: object) -> None:
    """Write down what a finished image was made of, and what else is known of it."""
    content = {"made_of": dict(made_of), "image_digest": digest(image), **more}
    write_json(_record(image), content)


def finished(image: Path, made_of: Mapping[str, Any]) -> dict[str, Any] | None:
    """What :func:`vouch` wrote of an image, if it is whole and was made of the same.

    Args:
        image: Which need not exist.
        made_of: Plain values; one that is None is not known, and never the same.

    Example:
        >>> import tempfile
        >>> image = Path(tempfile.mkdtemp()) / "a.nii.gz"
        >>> _ = image.write_bytes(b"voxels")
        >>> vouch(image, {"scan": "12ab"}, changed=True)
        >>> finished(image, {"scan": "12ab"})["changed"], finished(image, {"scan": "0"})
        (True, None)
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
    """Refuse to write over images that were made with other settings.

    Args:
        images: To be written; those that are not there yet are free, as are those of
            which nothing is known.
        wanted: Settings that must be as :func:`vouch` wrote them down.
        told: Settings by image's name, as known from elsewhere.

    Raises:
        UserError: Names the first of them, the setting then and now, and the remedy.
    """
    for image in images:
        try:
            before = read_json(_record(image))["made_of"]
            differing = [key for key in wanted if before[key] != wanted[key]]
        except (*DAMAGED, UserError):
            before = (told or {}).get(image.name, wanted)
            differing = [key for key in before if before[key] != wanted[key]]
        if differing and image.exists():
            key = differing[0]
            raise UserError(
                f"{image}: {_words(key, before[key], wanted[key])} "
                "Choose another folder with -o."
            )


def _words(key: str, before: str, now: str) -> str:
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
