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
    key: str,
    site: str,
    told: Mapping[str, str] | None = None,
) -> None:
    """Refuse to write over images that were painted for another site.

    Args:
        images: To be written; those that are not there yet are free.
        key: What :func:`vouch` wrote down the site as.
        site: Asked for now; empty for the average one.
        told: Site by image's name, as known from elsewhere.

    Raises:
        UserError: Names the first of them, both sites and the remedy.
    """
    for image in images:
        try:
            made_for = read_json(_record(image))["made_of"][key]
        except (*DAMAGED, UserError):
            made_for = (told or {}).get(image.name, site)
        if made_for != site and image.exists():
            before, now = (name or "the average site" for name in (made_for, site))
            raise UserError(
                f"{image}: painted for {before} by an earlier command, and would be "
                f"overwritten for {now}. Choose another folder with -o."
            )


def _record(image: Path) -> Path:
    return image.parent / FOLDER / f"{image.name}.json"
