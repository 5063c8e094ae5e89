"""Does the decoder give the scan back, at sites it knows and at one it does not?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from medvae.errors import UserError
from medvae.evaluation.bootstrap import interval, mean_estimate
from medvae.evaluation.collapse import gaussian_kl
from medvae.evaluation.estimate import Estimate, FloatArray, IntArray
from medvae.evaluation.latents import EncoderLike, decode_scans, encode_scans
from medvae.evaluation.questions.setting import Setting, generator
from medvae.evaluation.reconstruction import bits_per_voxel, psnr, ssim, z_scored_error
from medvae.evaluation.result import Answers, names_of

GROUP = "reconstruction"
PLAIN = ("psnr", "z_scored_error")
FULL = (*PLAIN, "ssim", "bits_per_voxel")

Scores = dict[str, FloatArray]


def reconstruction(setting: Setting, answers: Answers, seed: int) -> None:
    """Reconstruct test scans of training sites, and every scan of held-out sites.

    Training-site scans are decoded with their own site's input. A held-out site has
    none: its scans are decoded with the mean of all inputs, and once with every
    training site's. The like-for-like gap decodes both groups with the mean.
    """
    rng = generator(seed, GROUP)
    seen, unseen = setting.test_scans(), setting.held_out_scans()
    own = own_site_scores(setting, seen, seed)
    if not seen:
        answers.cannot(
            "reconstruction on training sites",
            "it needs scans of test subjects at training sites, got none",
        )
    _keep(answers, "seen", own, setting.subjects(seen), rng)
    if not unseen:
        answers.cannot(
            "reconstruction on a held-out site",
            "it needs scans of a site that training never saw, got none",
        )
        return
    by_site = {
        site: site_scores(setting, unseen, site, seed, PLAIN)
        for site in setting.encoder.sites
    }
    for site, scores in by_site.items():
        _keep(answers, f"held_out_as_{site}", scores, setting.subjects(unseen), rng)
    mean_seen: Scores = {}
    if has_mean_site_input(setting):
        mean_seen = site_scores(setting, seen, None, seed, PLAIN)
        mean_unseen = site_scores(setting, unseen, None, seed, FULL)
        answers.note(
            "The decoder is told the site by a site input, learned for each training "
            "site. An unseen site has none: its scans were decoded with the mean of "
            "these inputs, all others with their own site's."
        )
    else:
        answers.note(
            "The decoder takes no mean of site inputs: held-out scans were decoded "
            f"with the input of each training site ({names_of(setting.seen)}) and the "
            "scores averaged."
        )
        mean_unseen = _average(list(by_site.values()))
    _keep(answers, "held_out", mean_unseen, setting.subjects(unseen), rng)
    pairs = [("gap", own), ("gap_mean_code", mean_seen)]
    for label, scores in pairs:
        for name in scores if seen else ():
            if name in mean_unseen:
                number = _gap(
                    setting, seen, unseen, scores[name], mean_unseen[name], rng
                )
                answers.add(GROUP, f"{name}_{label}", number)
    _keep(answers, "seen_mean_code", mean_seen, setting.subjects(seen), rng)


def averaged_codes(
    setting: Setting, averaged: EncoderLike, answers: Answers, seed: int
) -> None:
    """Reconstruct the same scans from codes averaged over corrupted copies.

    Training-site scans with their own site's input, held-out ones with the mean input:
    the numbers to hold against those of the raw scan, ``..._seen`` and
    ``..._held_out``.
    """
    rng = generator(seed, f"{GROUP} averaged")
    seen, unseen = setting.test_scans(), setting.held_out_scans()
    asked = [*seen, *unseen]
    scans = [setting.scans[i] for i in asked]
    latents = encode_scans(averaged, scans, batch_size=setting.batch_size)
    again = replace(setting, encoder=averaged, scans=scans, latents=latents)
    first, last = list(range(len(seen))), list(range(len(seen), len(asked)))
    if seen:
        own = own_site_scores(again, first, seed)
        _keep(answers, "seen_averaged", own, again.subjects(first), rng)
    if unseen and has_mean_site_input(again):
        mean = site_scores(again, last, None, seed, FULL)
        _keep(answers, "held_out_averaged", mean, again.subjects(last), rng)


def own_site_scores(setting: Setting, index: Sequence[int], seed: int) -> Scores:
    """Scores of training-site scans, each decoded with its own site's input."""
    rows: dict[int, dict[str, float]] = {}
    for site in setting.seen:
        mine = [i for i in index if setting.scans[i].site == site]
        rows |= _score(setting, mine, setting.site_input(site), seed, FULL)
    return _columns(rows, index)


def has_mean_site_input(setting: Setting) -> bool:
    """Whether the decoder takes ``site=None``, tried on one scan."""
    try:
        next(decode_scans(setting.encoder, setting.latents, [0], None))
    except (ValueError, UserError):
        return False
    return True


def site_scores(
    setting: Setting,
    index: Sequence[int],
    site: str | None,
    seed: int,
    wanted: Sequence[str],
) -> Scores:
    """Scores of scans that are all decoded with one site input."""
    return _columns(_score(setting, index, site, seed, wanted), index)


def _score(
    setting: Setting,
    index: Sequence[int],
    site: str | None,
    seed: int,
    wanted: Sequence[str],
) -> dict[int, dict[str, float]]:
    size = {"batch_size": setting.batch_size}
    decoded = decode_scans(setting.encoder, setting.latents, index, site, **size)
    rows: dict[int, dict[str, float]] = {}
    for i, image in decoded:
        target, mask = setting.scans[i].image, setting.scans[i].mask
        rows[i] = {
            "psnr": psnr(image, target, mask),
            "z_scored_error": z_scored_error(image, target, mask),
        }
        if "ssim" in wanted:
            rows[i]["ssim"] = ssim(image, target, mask)
    if "bits_per_voxel" not in wanted:
        return rows
    latents = setting.latents
    noise = generator(seed, "posterior").standard_normal(latents.mean.shape[1])
    samples = decode_scans(setting.encoder, latents, index, site, noise=noise, **size)
    for i, image in samples:
        kl = float(gaussian_kl(latents.mean[i], latents.std[i]).sum())
        rows[i]["bits_per_voxel"] = bits_per_voxel(
            image,
            setting.scans[i].image,
            setting.encoder.likelihood,
            setting.encoder.scale,
            kl,
        )
    return rows


def _columns(rows: Mapping[int, Mapping[str, float]], index: Sequence[int]) -> Scores:
    if not index:
        return {}
    names = rows[index[0]]
    return {name: np.array([rows[i][name] for i in index]) for name in names}


def _average(scores: Sequence[Scores]) -> Scores:
    return {
        name: np.asarray(np.mean([row[name] for row in scores], axis=0))
        for name in scores[0]
    }


def _keep(
    answers: Answers,
    label: str,
    scores: Scores,
    subjects: Sequence[str],
    rng: np.random.Generator,
) -> None:
    for name, values in scores.items():
        answers.add(GROUP, f"{name}_{label}", mean_estimate(values, subjects, rng))


def _gap(
    setting: Setting,
    seen: Sequence[int],
    unseen: Sequence[int],
    a: FloatArray,
    b: FloatArray,
    rng: np.random.Generator,
) -> Estimate:
    """Held-out mean minus training-site mean; travelers are drawn in both at once."""
    values = np.concatenate([a, b])
    away = np.arange(len(values)) >= len(a)

    def gap(i: IntArray) -> float:
        if away[i].all() or not away[i].any():
            return float("nan")
        return float(values[i][away[i]].mean() - values[i][~away[i]].mean())

    subjects = setting.subjects([*seen, *unseen])
    ci95 = interval(gap, subjects, rng)
    return Estimate(gap(np.arange(len(values))), ci95, len(set(subjects)), chance=0.0)
