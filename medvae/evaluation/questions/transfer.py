"""Decode a traveler's held-out scan to a training site: is it the scan made there?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from medvae.evaluation.alignment import Motion, estimate_motion
from medvae.evaluation.bootstrap import (
    PairedDifference,
    mean_estimate,
    paired_difference,
)
from medvae.evaluation.estimate import FloatArray
from medvae.evaluation.harmonising import harmonised
from medvae.evaluation.latents import Image, Progress, decode_scans
from medvae.evaluation.questions.image import has_mean_site_input
from medvae.evaluation.questions.setting import Setting, generator
from medvae.evaluation.reconstruction import psnr, ssim, z_scored_error
from medvae.evaluation.result import Answers, Evaluation, TravelerTransfer

MEASURES = ("error", "with_detail", "do_nothing", "own", "psnr", "ssim")

SHARES = {
    "error": "share_of_do_nothing",
    "with_detail": "with_detail_share_of_do_nothing",
}


def transfer(
    setting: Setting,
    answers: Answers,
    seed: int,
    *,
    align: bool,
    progress: Progress | None = None,
) -> None:
    """Score every traveler from every held-out site to every training site."""
    people = {
        who: at
        for who, at in setting.travelers().items()
        if set(at) & set(setting.held_out) and set(at) & set(setting.seen)
    }
    if not people:
        answers.cannot(
            "transfer from a held-out site",
            "it needs a traveler with scans at a held-out site and at a training site, "
            "got none",
        )
        return
    averaged = _averaged(setting)
    for done, (who, at) in enumerate(sorted(people.items())):
        if progress is not None:
            progress(done, len(people), "transfer")
        answers.travelers.extend(_person(setting, who, at, averaged, align=align))
    if progress is not None:
        progress(len(people), len(people), "transfer")
    rng = generator(seed, "transfer")
    for name in MEASURES:
        values = by_traveler(answers.travelers, name)
        if values:
            number = mean_estimate(list(values.values()), list(values), rng)
            answers.add("transfer", name, number)
    rest = by_traveler(answers.travelers, "do_nothing")
    if not all(rest.values()):
        return
    for measure, name in SHARES.items():
        error = by_traveler(answers.travelers, measure)
        if not error:
            continue
        share = [error[who] / rest[who] for who in error]
        number = mean_estimate(share, list(error), rng, chance=1.0)
        answers.add("transfer", name, number)


def _person(
    setting: Setting,
    who: str,
    at: Mapping[str, int],
    averaged: Sequence[str | None],
    *,
    align: bool,
) -> list[TravelerTransfer]:
    scans, spacing = setting.scans, setting.encoder.grid.spacing_mm
    away = [site for site in setting.held_out if site in at]
    rows = []
    for target in (site for site in setting.seen if site in at):
        fixed, mask = scans[at[target]].image, scans[at[target]].mask
        own = _decoded(setting, at[target], target)
        for source in away:
            moving = scans[at[source]].image
            motion = Motion()
            if align:
                motion = estimate_motion(moving, fixed, mask, spacing)
            painted = _decoded(setting, at[source], target)
            image = motion.apply(painted, spacing)
            still = motion.apply(moving, spacing)
            changed = _harmonised(setting, moving, setting.site_input(target), averaged)
            with_detail = motion.apply(changed, spacing)
            rows.append(
                TravelerTransfer(
                    subject=who,
                    split=scans[at[target]].split,
                    source=source,
                    target=target,
                    error=z_scored_error(image, fixed, mask),
                    with_detail=z_scored_error(with_detail, fixed, mask),
                    do_nothing=z_scored_error(still, fixed, mask),
                    own=z_scored_error(own, fixed, mask),
                    shift_mm=motion.shift_mm,
                    turn_degrees=motion.turn_degrees,
                    psnr=psnr(image, fixed, mask),
                    ssim=ssim(image, fixed, mask),
                )
            )
    return rows


def _averaged(setting: Setting) -> Sequence[str | None]:
    """Whose paintings make that of the average site; none if the decoder knows none."""
    if all(setting.site_input(site) is None for site in setting.seen):
        return ()
    if has_mean_site_input(setting):
        return (None,)
    return [setting.site_input(site) for site in setting.seen]


def _harmonised(
    setting: Setting, moving: Image, to: str | None, averaged: Sequence[str | None]
) -> Image:
    """A scan of no training site harmonised; as it is if the decoder knows no site."""
    if to is None or not averaged:
        return moving
    x = torch.from_numpy(np.array(moving, dtype=np.float32))[None, None]
    made = harmonised(setting.encoder, x, to, averaged)
    return np.asarray(made[0, 0].cpu().double().numpy())


def _decoded(setting: Setting, scan: int, site: str | None) -> FloatArray:
    site_input = None if site is None else setting.site_input(site)
    ((_, image),) = decode_scans(setting.encoder, setting.latents, [scan], site_input)
    return image


def by_traveler(
    rows: Sequence[TravelerTransfer], measure: str = "error"
) -> dict[str, float]:
    """Mean over a traveler's site pairs, by subject; nobody where it was not had."""
    values: dict[str, list[float]] = {}
    for row in rows:
        value = getattr(row, measure)
        if value is not None:
            values.setdefault(row.subject, []).append(float(value))
    return {who: float(np.mean(v)) for who, v in sorted(values.items())}


def compare_transfer(
    a: Evaluation, b: Evaluation, *, seed: int = 0
) -> PairedDifference:
    """Transfer error of run b against run a, on the same travelers and site pairs.

    Args:
        a: The reference, such as a run trained without corruption.
        b: The challenger; ``ratio`` below 1 means it errs less.
        seed: Of the resampling.

    Raises:
        ValueError: The two share no traveler.
    """

    def key(row: TravelerTransfer) -> tuple[str, str, str]:
        return row.subject, row.source, row.target

    both = {key(row) for row in a.travelers} & {key(row) for row in b.travelers}
    if not both:
        raise ValueError(
            f"runs {a.run!r} and {b.run!r} share no traveler to compare: "
            f"{len(a.travelers)} and {len(b.travelers)} transfers were scored"
        )
    first, second = (
        by_traveler([row for row in run.travelers if key(row) in both])
        for run in (a, b)
    )
    rng = generator(seed, "compare")
    return paired_difference(list(first.values()), list(second.values()), rng)
