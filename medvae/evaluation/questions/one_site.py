"""Does a probe learned at one single site serve at another?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from medvae.evaluation.biology import score_ages
from medvae.evaluation.questions.setting import Setting, generator
from medvae.evaluation.result import Answers
from medvae.evaluation.ridge import ridge

LEAST_TAUGHT = 8
LEAST_ASKED = 5


def age_from_one_site(setting: Setting, answers: Answers, seed: int) -> None:
    """Ridge for age on each training site alone, asked at every other site.

    Pooled over all ordered pairs of sites. Within one site nothing tells the probe
    which differences are the scanner's, so it errs where latents carry them.
    """
    guesses, truths, flats, people, where = [], [], [], [], []
    counts: dict[str, tuple[int, int]] = {}
    seen, unseen = setting.test_scans(), setting.held_out_scans()
    asked = [i for i in (*seen, *unseen) if setting.scans[i].age is not None]
    z = setting.latents.mean
    for site in setting.seen:
        taught = [
            i for i in setting.at([site], ["train"]) if setting.scans[i].age is not None
        ]
        known = set(setting.subjects(taught))
        test = [
            i
            for i in asked
            if setting.scans[i].site != site and setting.scans[i].subject not in known
        ]
        counts[site] = len(known), len(set(setting.subjects(test)))
        if len(known) < LEAST_TAUGHT or not test:
            continue
        years = np.array([setting.scans[i].age for i in taught], dtype=np.float64)
        guesses.append(ridge(z[taught], years, z[test], setting.subjects(taught)))
        truths.append([setting.scans[i].age or 0.0 for i in test])
        flats.append(np.full(len(test), years.mean()))
        people += setting.subjects(test)
        where += setting.sites(test)
    if len(set(people)) < LEAST_ASKED:
        answers.cannot(
            "age, from each training site alone",
            f"it needs {LEAST_TAUGHT} training subjects with an age at one site and "
            f"{LEAST_ASKED} test subjects with an age elsewhere, got {_best(counts)}",
        )
        return
    found = score_ages(
        np.concatenate(guesses),
        np.concatenate(truths),
        np.concatenate(flats),
        people,
        generator(seed, "age from one site"),
        sites=where,
    )
    answers.add("age", "mae_years_one_site", found.mae)
    answers.add("age", "share_of_chance_one_site", found.share)


def _best(counts: Mapping[str, tuple[int, int]]) -> str:
    """The site that comes nearest: how many it teaches by, and are asked elsewhere."""
    if not counts:
        return "no training site"
    site = max(counts, key=lambda s: (min(counts[s][0], LEAST_TAUGHT), counts[s][1]))
    taught, asked = counts[site]
    return f"{taught} at {site} and {asked} elsewhere at best"
