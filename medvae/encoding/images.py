"""Many codes, or scans, to images on disk; a bad one stops no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from medvae.encoding.encoder import Encoder
from medvae.encoding.folder import Item, encode_arrivals
from medvae.encoding.harmonised import Harmonised, known_source
from medvae.encoding.latent_file import read_latent
from medvae.encoding.names import ENDING
from medvae.encoding.reading import Cover, read_ahead
from medvae.encoding.repainting import repaint
from medvae.errors import UserError
from medvae.volume import write_nifti

Progress = Callable[[int, int, str], object]


def write_image(image: nib.Nifti1Image, path: Path) -> None:
    """Write a decoded image, float32, whole or not at all."""
    write_nifti(path, np.asanyarray(image.dataobj), image.affine, np.float32)


def image_names(latents: Sequence[Path]) -> list[str]:
    """What the images of codes are called: as the codes, less the word latent.

    Example:
        >>> image_names([Path("scan0_latent.nii.gz")])
        ['scan0.nii.gz']
        >>> image_names([Path("sub-1/anat/sub-1_desc-medvaeT1w_latent.nii.gz")])
        ['sub-1_desc-medvae_T1w.nii.gz']
    """
    names = []
    for path in latents:
        name = path.name.removesuffix(ENDING)
        entities, mark, suffix = name.rpartition("_desc-medvae")
        named = f"{entities}_desc-medvae_{suffix}" if mark else name
        names.append(f"{named}.nii.gz")
    return names


def decode_files(
    encoder: Encoder,
    latents: Sequence[Path],
    targets: Sequence[Path],
    site: str | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Decode codes to ``targets``, one by one.

    Returns:
        One message for every code that could not be read; the others are done.

    Raises:
        UserError: The decoder does not know the site.
    """
    encoder.check_site(site)
    problems = []
    for done, (path, target) in enumerate(zip(latents, targets, strict=True), start=1):
        try:
            latent = read_latent(path, encoder.model_digest)
        except UserError as error:
            problems.append(str(error))
        else:
            write_image(encoder.decode(latent, site), target)
        if progress:
            progress(done, len(latents), path.name)
    return problems


def harmonize_files(
    encoder: Encoder,
    items: Sequence[Item],
    targets: Sequence[Path],
    to: str,
    *,
    made_at: str | None = None,
    detail: bool = True,
    batch_size: int = 4,
    jobs: int = 0,
    cover: Cover = "head",
    progress: Progress | None = None,
) -> tuple[list[Harmonised], list[str]]:
    """Write scans as training site ``to`` would have made them.

    A scan whose label is a training site is taken to come from there; ``made_at`` says
    so of all of them; any other comes from a scanner that training has not met. See
    `Encoder.harmonize` for ``made_at`` and ``detail``.

    Returns:
        What became of every scan, and one message for every scan that could not be
        read; the others are done.

    Raises:
        UserError: The decoder does not know a site.
    """
    for site in (to, made_at):
        encoder.check_site(site)
    reach = encoder.reach(cover)
    scans = [item.path for item in items]
    read = read_ahead(scans, encoder.grid, jobs=jobs, ahead=batch_size, reach=reach)
    coded = zip(items, targets, encode_arrivals(encoder, read, batch_size), strict=True)
    rows: list[Harmonised] = []
    problems: list[str] = []
    for done, (item, target, (arrived, latent)) in enumerate(coded, start=1):
        if arrived.problem:
            problems.append(arrived.problem)
        if latent is not None:
            source, basis = known_source(made_at, item.site, encoder.sites)
            try:
                if detail:
                    found = repaint(encoder, item.path, latent, to, source)
                    image, changed = found.image, found.changed
                else:
                    image, changed = encoder.decode(latent, to), True
                    source, basis = None, "none"
            except UserError as error:  # it was there when its code was made
                problems.append(str(error))
            else:
                write_image(image, target)
                rows.append(
                    Harmonised(
                        *(target.name, item.path, source or "", basis, to, changed),
                        *(item.subject or "", item.session or "", item.site or ""),
                        item.more,
                    )
                )
        if progress:
            progress(done, len(items), item.path.name)
    return rows, problems
