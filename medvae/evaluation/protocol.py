"""The protocol: one run, one cohort, every question the data can answer.

Split by subject; the held-out sites appear in no training, selection or scaling.
Every number carries a subject-level interval and, where it makes sense, its chance
level; leakage never comes without reconstruction, biology and re-identification,
because a collapsed encoder is perfectly invariant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from medvae.errors import UserError
from medvae.evaluation.latents import (
    EncoderLike,
    Latents,
    PreparedScan,
    Progress,
    encode_scans,
)
from medvae.evaluation.questions.image import averaged_codes, reconstruction
from medvae.evaluation.questions.one_site import age_from_one_site
from medvae.evaluation.questions.person import age, collapse, travelers
from medvae.evaluation.questions.setting import Setting
from medvae.evaluation.questions.site import leakage
from medvae.evaluation.questions.transfer import transfer
from medvae.evaluation.questions.volume import bright_volume
from medvae.evaluation.result import Answers, Evaluation, LatentPoint, names_of

STAGES = (
    "reconstruction",
    "site leakage",
    "travelers",
    "volume",
    "age",
    "age from one site",
    "transfer",
)


def evaluate(
    encoder: EncoderLike,
    prepared: Sequence[PreparedScan],
    *,
    held_out: Sequence[str],
    seed: int = 0,
    progress: Progress | None = None,
    align: bool = True,
    run: str = "",
    permutations: int = 200,
    batch_size: int = 4,
    averaged: EncoderLike | None = None,
) -> Evaluation:
    """Ask an encoder everything its cohort allows.

    Args:
        encoder: A trained run; its sites are the training sites.
        prepared: Every scan of the cohort on the training grid, with subject, site,
            age and split. Train subjects teach the age probe and nothing else.
        held_out: Sites that training never saw.
        seed: Of folds, permutations and resamples.
        progress: Called with (done, total, what).
        align: Estimate travelers' misplacement between two raw scans, and undo it.
        run: A name for the report.
        permutations: Of every permutation test.
        batch_size: Scans encoded or decoded at once.
        averaged: The same run, its codes averaged over corrupted copies; asked for
            reconstruction beside the raw scan.

    Returns:
        Numbers, and the questions that stayed open with the reason.

    Raises:
        UserError: No scan, or a held-out site that the encoder was trained on.
    """
    setting, notes = open_setting(
        encoder,
        prepared,
        held_out=held_out,
        progress=progress,
        run=run,
        batch_size=batch_size,
    )
    return ask(
        setting,
        notes,
        seed=seed,
        progress=progress,
        align=align,
        run=run,
        permutations=permutations,
        averaged=averaged,
    )


def open_setting(
    encoder: EncoderLike,
    prepared: Sequence[PreparedScan],
    *,
    held_out: Sequence[str],
    progress: Progress | None = None,
    run: str = "",
    batch_size: int = 4,
) -> tuple[Setting, list[str]]:
    """Encode what will be asked about, and say what was left out; see `evaluate`."""
    seen = _training_sites(encoder, prepared, held_out)
    scans, notes = _asked_about(seen, prepared, held_out)
    latents = encode_scans(encoder, scans, batch_size=batch_size, progress=progress)
    if not (np.isfinite(latents.mean).all() and (latents.std > 0).all()):
        raise UserError(f"{run or 'the run'}: latents are not finite. Train it again.")
    setting = Setting(
        encoder=encoder,
        scans=scans,
        latents=latents,
        seen=seen,
        held_out=tuple(held_out),
        batch_size=batch_size,
    )
    return setting, notes


def ask(
    setting: Setting,
    notes: Sequence[str] = (),
    *,
    seed: int = 0,
    progress: Progress | None = None,
    align: bool = True,
    run: str = "",
    permutations: int = 200,
    averaged: EncoderLike | None = None,
) -> Evaluation:
    """Every question, of latents that are at hand; see `evaluate`."""
    answers = Answers()
    for sentence in notes:
        answers.note(sentence)
    tasks: tuple[Callable[[], None], ...] = (
        lambda: reconstruction(setting, answers, seed),
        lambda: leakage(setting, answers, seed, permutations),
        lambda: travelers(setting, answers, seed),
        lambda: bright_volume(setting, answers, seed),
        lambda: age(setting, answers, seed),
        lambda: age_from_one_site(setting, answers, seed),
        lambda: transfer(setting, answers, seed, align=align, progress=progress),
    )
    for done, (stage, task) in enumerate(zip(STAGES, tasks, strict=True)):
        if progress is not None:
            progress(done, len(STAGES), stage)
        task()
    if averaged is not None:
        averaged_codes(setting, averaged, answers, seed)
    collapse(setting, answers)
    if progress is not None:
        progress(len(STAGES), len(STAGES), "evaluated")
    return Evaluation(
        run=run,
        held_out=setting.held_out,
        metrics=answers.metrics,
        travelers=tuple(answers.travelers),
        unanswered=tuple(answers.unanswered),
        notes=tuple(answers.notes),
        points=latent_map(setting.latents, setting.scans),
    )


def _training_sites(
    encoder: EncoderLike, prepared: Sequence[PreparedScan], held_out: Sequence[str]
) -> tuple[str, ...]:
    """The encoder's sites; without site inputs, those that train subjects come from."""
    if encoder.sites:
        return tuple(encoder.sites)
    train = {scan.site for scan in prepared if scan.split == "train" and scan.site}
    return tuple(sorted(train - set(held_out)))


def _asked_about(
    seen: Sequence[str], prepared: Sequence[PreparedScan], held_out: Sequence[str]
) -> tuple[list[PreparedScan], list[str]]:
    """Scans at training and held-out sites, and what was left out."""
    trained = [site for site in held_out if site in seen]
    if trained:
        raise UserError(
            f"held-out site {names_of(trained)}: the run was trained on it. Choose a "
            f"site other than {names_of(seen)}, or train without it."
        )
    here = {scan.site for scan in prepared}
    wanted = (*seen, *held_out)
    missing = [site for site in held_out if site not in here]
    if missing:
        known = names_of(sorted(str(site) for site in here if site is not None))
        raise UserError(f"held-out site {names_of(missing)} has no scan; got {known}.")
    scans = [scan for scan in prepared if scan.site in wanted]
    if not scans:
        raise UserError(
            f"no scan at {names_of(seen)}, where the run was trained, to evaluate."
        )
    other = sorted({str(site) for site in here if site not in wanted})
    notes = [f"Not asked about: scans of {names_of(other)}."] if other else []
    return scans, notes


def latent_map(
    latents: Latents, scans: Sequence[PreparedScan]
) -> tuple[LatentPoint, ...]:
    """Every scan on the first two principal components of the posterior means."""
    centred = latents.mean - latents.mean.mean(axis=0)
    values, vectors = np.linalg.eigh(centred @ centred.T)
    places = np.zeros((len(scans), 2))
    for axis in range(min(2, len(scans))):
        column = vectors[:, -1 - axis] * np.sqrt(max(values[-1 - axis], 0.0))
        # The sign of an eigenvector is arbitrary; fix it so that maps repeat.
        places[:, axis] = column * (np.sign(column[np.argmax(np.abs(column))]) or 1)
    return tuple(
        LatentPoint(
            subject=s.subject,
            site=s.site,
            split=s.split,
            age=s.age,
            x=float(x),
            y=float(y),
        )
        for s, (x, y) in zip(scans, places, strict=True)
    )
