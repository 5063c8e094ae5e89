"""Many codes, or scans, to images on disk; a bad one stops no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib

from medvae.encoding.encoder import Encoder
from medvae.encoding.finished import finished, seen_from, vouched
from medvae.encoding.folder import Item, encode_arrivals, whole_batches
from medvae.encoding.harmonised import Harmonised, known_source
from medvae.encoding.latent import Latent
from medvae.encoding.latent_file import description_file, read_latent
from medvae.encoding.names import ENDING
from medvae.encoding.reading import Cover, read_ahead
from medvae.encoding.repainting import Repainted, repaint
from medvae.errors import UserError
from medvae.files import atomic_path, digest

Progress = Callable[[int, int, str], object]


def write_image(image: nib.Nifti1Image, path: Path) -> None:
    """Write a decoded image, float32, whole or not at all."""
    with atomic_path(path) as partial:
        nib.save(image, partial)


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
    each: Callable[[Path, bool], object] | None = None,
) -> list[str]:
    """Decode codes to ``targets``, one by one; those that are there stay.

    Args:
        encoder: The model.
        latents: ``*_latent.nii.gz`` files.
        targets: An image for each.
        site: See `Encoder.decode`.
        progress: Called with (done, total, name).
        each: Called with every image that is there, and whether it was made now.

    Returns:
        One message for every code that could not be read; the others are done.

    Raises:
        UserError: The decoder does not know the site.
    """
    encoder.check_site(site)
    problems = []
    for done, (path, target) in enumerate(zip(latents, targets, strict=True), start=1):
        made_of = {
            "code": code_digest(path),
            "model": encoder.model_digest,
            "site": site or "",
        }
        is_new = finished(target, made_of) is None
        try:
            if is_new:
                latent = read_latent(path, encoder.model_digest)
                image = encoder.decode(latent, site)
                with vouched(target, path, made_of):
                    write_image(image, target)
        except UserError as error:
            problems.append(str(error))
        else:
            if each:
                each(target, is_new)
        if progress:
            progress(done, len(latents), path.name)
    return problems


def code_digest(path: Path) -> str | None:
    """Of a code and the JSON beside it; None where one of them cannot be read.

    Example:
        >>> code_digest(Path("no_latent.nii.gz")) is None
        True
    """
    try:
        return f"{digest(path)} {digest(description_file(path))}"
    except (OSError, UserError):
        return None


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
    each: Callable[[Harmonised, bool], object] | None = None,
) -> tuple[list[Harmonised], list[str]]:
    """Write scans as training site ``to`` would have made them; those there stay.

    A scan whose label is a training site is taken to come from there; ``made_at`` says
    so of all of them; any other comes from a scanner that training has not met. See
    `Encoder.harmonize` for ``made_at`` and ``detail``. ``each`` is called with every
    scan whose image is there, and whether it was made now.

    Returns:
        What became of every scan, and one message for every scan that could not be
        read; the others are done.

    Raises:
        UserError: The decoder does not know a site.
    """
    for site in (to, made_at):
        encoder.check_site(site)
    origins = [
        known_source(made_at, item.site, encoder.sites) if detail else (None, "none")
        for item in items
    ]
    known = {"to": to, "cover": cover, "model": encoder.model_digest}
    plans = [
        known | {"source": source or "", "known_from": basis}
        for source, basis in origins
    ]
    records = [finished(t, plan) for t, plan in zip(targets, plans, strict=True)]
    marks = [record["scan"] if record else None for record in records]
    read = read_ahead(
        [item.path for item in items],
        encoder.grid,
        jobs=jobs,
        ahead=batch_size,
        reach=encoder.reach(cover),
        known=whole_batches(marks, batch_size),
        masks=[item.mask for item in items],
    )
    coded = encode_arrivals(encoder, read, batch_size)
    rows: list[Harmonised] = []
    problems: list[str] = []
    for i, (arrived, latent) in enumerate(coded):
        item, target, record = items[i], targets[i], records[i]
        source, basis = origins[i]
        changed: bool | None = None
        is_new = record is None or record["scan"] != arrived.digest
        if arrived.problem:
            problems.append(arrived.problem)
        elif record is not None and not is_new:
            changed = record["changed"] is True
        elif latent is not None:
            try:
                made = _painted(encoder, item.path, latent, to, source, detail)
            except UserError as error:  # it was there when its code was made
                problems.append(str(error))
            else:
                changed = made.changed
                kept = {"scan": arrived.digest, "changed": changed}
                with vouched(target, item.path, plans[i], **kept):
                    write_image(made.image, target)
        if changed is not None:
            rows.append(
                Harmonised(
                    path=target.name,
                    original=item.path,
                    source=source or "",
                    known_from=basis,
                    target=to,
                    changed=changed,
                    subject=item.subject or "",
                    session=item.session or "",
                    site=item.site or "",
                    more=_more(item, target.parent),
                )
            )
            if each:
                each(rows[-1], is_new)
        if progress:
            progress(i + 1, len(items), item.path.name)
    return rows, problems


def _more(item: Item, out: Path) -> dict[str, str]:
    """What a table in ``out`` tells of a scan besides; its mask is the image's, too."""
    mask = {"mask": seen_from(out, item.mask)} if item.mask else {}
    return {**item.more, **mask}


def _painted(
    encoder: Encoder,
    scan: Path,
    latent: Latent,
    to: str,
    source: str | None,
    detail: bool,
) -> Repainted:
    if detail:
        return repaint(encoder, scan, latent, to, source)
    return Repainted(encoder.decode(latent, to), changed=True)
