"""Choosing an arm's setting by people it may be chosen by.

Only scans of training sites whose subjects are in ``train`` or ``validation`` are
looked at: no test subject, no traveler, no held-out site. Among the settings that keep
reconstruction and age (validation subjects) within ``TOLERANCE`` of the arm's best, the
one whose posterior samples tell least of the site is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from medvae.comparison.scores import age_rows, reconstructed, site_probe
from medvae.evaluation.questions.setting import Setting

TOLERANCE = 0.1
LEARNED = ("train", "validation")


@dataclass(frozen=True)
class Validation:
    """What one setting reached on the people it may be chosen by.

    Args:
        error: Reconstruction error of validation scans, in variances.
        age: Age error of validation subjects over guessing the mean; None if unknown.
        leakage: AUC of the site from samples, train and validation subjects; None if
            it could not be probed.
    """

    error: float
    age: float | None
    leakage: float | None


def inside(setting: Setting) -> Setting:
    """The setting without every scan that a choice must not see.

    Raises:
        ValueError: A held-out site is left in it.
    """
    index = setting.at(setting.seen, LEARNED)
    latents = replace(
        setting.latents,
        mean=setting.latents.mean[index],
        std=setting.latents.std[index],
    )
    scans = [setting.scans[i] for i in index]
    return replace(setting, scans=scans, latents=latents, held_out=())


def validate(setting: Setting, seed: int) -> Validation:
    """Judge one setting; see the module.

    Raises:
        ValueError: No validation subject.
    """
    own = inside(setting)
    watched = own.at(own.seen, ["validation"])
    if not watched:
        raise ValueError("a choice needs validation subjects, got none")
    error = [row.value for row in reconstructed(own, watched)]
    ages = age_rows(own, watched)
    flat = sum(row.over for row in ages)
    probe = site_probe(own, own.at(own.seen), seed)
    return Validation(
        error=float(np.mean(error)),
        age=sum(row.value for row in ages) / flat if flat > 0 else None,
        leakage=None
        if probe is None
        else float(probe.auc(np.ones((1, len(probe.subjects))))[0]),
    )


def choose(found: Mapping[int, Validation]) -> int:
    """The setting with the least leakage among those that keep the image and the age.

    Example:
        >>> tried = {0: Validation(1.0, 0.8, 0.9), 1: Validation(1.05, 0.82, 0.7),
        ...          2: Validation(2.0, 0.8, 0.5)}
        >>> choose(tried)
        1
    """
    best = min(v.error for v in found.values()) * (1 + TOLERANCE)
    known = [v.age for v in found.values() if v.age is not None]
    oldest = min(known) * (1 + TOLERANCE) if known else np.inf
    fit = {
        k: v
        for k, v in found.items()
        if v.error <= best and (v.age is None or v.age <= oldest)
    } or {k: v for k, v in found.items() if v.error <= best}
    return min(
        fit,
        key=lambda k: (
            fit[k].leakage if fit[k].leakage is not None else np.inf,
            fit[k].error,
        ),
    )
