"""Is it still the same person, whatever the scanner, and is their age in the latent?"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from medvae.evaluation.biology import (
    AgeProbe,
    score_ages,
    score_cross_validated,
)
from medvae.evaluation.bootstrap import jackknife, mean_estimate
from medvae.evaluation.collapse import activity
from medvae.evaluation.estimate import Estimate, FloatArray, IntArray
from medvae.evaluation.questions.setting import Setting, generator
from medvae.evaluation.result import Answers
from medvae.evaluation.ridge import ridge
from medvae.evaluation.travelers import image_icc, recognised

LEAST = 3  # travelers below this number give no agreement worth printing
LEAST_LEFT_OUT = 6  # travelers, of whom one is left out at a time for an interval
LEAST_WITH_AGE = 5  # people, in each group
_BETWEEN = {
    "seen": "two training sites",
    "held_out": "a held-out site and a training site",
}
_WHERE = {
    "within": "age, within the training sites",
    "across": "age, from all training sites together to the held-out one",
}


def travelers(setting: Setting, answers: Answers, seed: int) -> None:
    """Agreement and re-identification between scanners, seen and held-out."""
    people = setting.travelers()
    if any(
        setting.scans[i].split == "train" for at in people.values() for i in at.values()
    ):
        answers.note(
            "Fewer than three travelers are outside the train split, so all are used: "
            "their training-site scans were trained on, and traveler numbers flatter."
        )
    rng = generator(seed, "travelers")
    questions = {
        "seen": list(itertools.combinations(setting.seen, 2)),
        "held_out": list(itertools.product(setting.seen, setting.held_out)),
    }
    for label, pairs in questions.items():
        shared = {pair: _both(people, pair) for pair in pairs}
        most = max(map(len, shared.values()), default=0)
        shared = {pair: who for pair, who in shared.items() if len(who) >= LEAST}
        if not shared:
            where = _BETWEEN[label]
            answers.cannot(
                f"travelers between {where}",
                f"it needs {LEAST} people scanned at the same two such sites, "
                f"got {most}",
            )
            continue
        answers.add("travelers", f"icc_{label}", _agreement(setting, people, shared))
        number = _recognition(setting, people, shared, rng)
        answers.add("travelers", f"reidentification_{label}", number)


def _both(people: Mapping[str, Mapping[str, int]], pair: tuple[str, str]) -> list[str]:
    return sorted(who for who, at in people.items() if set(pair) <= set(at))


def _agreement(
    setting: Setting,
    people: Mapping[str, Mapping[str, int]],
    shared: Mapping[tuple[str, str], Sequence[str]],
) -> Estimate:
    """Mean over site pairs of the latents' ICC, travelers left out of all at once."""
    z = setting.latents.mean
    everyone = sorted(set(itertools.chain(*shared.values())))
    number = {who: k for k, who in enumerate(everyone)}
    blocks = []
    for pair, who in shared.items():
        x = np.stack([z[[people[w][site] for w in who]] for site in pair], axis=1)
        blocks.append((np.array([number[w] for w in who]), x))

    def statistic(kept: IntArray) -> float:
        values: list[float] = []
        for who, x in blocks:
            rows = np.isin(who, kept)
            if rows.sum() > 1:
                values.append(image_icc(x[rows]))
        return float(np.mean(values)) if values else float("nan")

    found = jackknife(statistic, len(everyone))
    ci95 = None
    if len(everyone) >= LEAST_LEFT_OUT and found.ci95 is not None:
        low, high = found.ci95
        ci95 = (low, min(high, 1.0))
    return Estimate(found.value, ci95, len(everyone), chance=0.0)


def _recognition(
    setting: Setting,
    people: Mapping[str, Mapping[str, int]],
    shared: Mapping[tuple[str, str], Sequence[str]],
    rng: np.random.Generator,
) -> Estimate:
    """Share of travelers whose nearest latent on the other scanner is their own."""
    z = setting.latents.mean
    hits: list[FloatArray] = []
    names: list[str] = []
    chance: list[float] = []
    for pair, who in shared.items():
        a, b = (z[[people[w][site] for w in who]] for site in pair)
        for query, gallery in ((a, b), (b, a)):
            hits.append(recognised(query, gallery))
            names.extend(who)
            chance.extend([1 / len(who)] * len(who))
    level = float(np.mean(chance))
    return mean_estimate(np.concatenate(hits), names, rng, chance=level)


def age(setting: Setting, answers: Answers, seed: int) -> None:
    """Read age where the probe was trained, and where it never was.

    ``across``: ridge on training-site people, tested on the held-out site's;
    ``within``: the same ridge on test subjects of the training sites;
    ``within_held_out``: cross-validated inside the held-out site, what its latents
    could tell at best.
    """
    rng = generator(seed, "age")
    train = _aged(setting, setting.at(setting.seen, ["train"]))
    unseen = _aged(setting, setting.held_out_scans())
    known = {setting.scans[i].subject for i in train}
    tests = {
        "within": _aged(setting, setting.test_scans()),
        "across": [i for i in unseen if setting.scans[i].subject not in known],
    }
    for label, test in tests.items():
        counts = [len(set(setting.subjects(part))) for part in (train, test)]
        if min(counts) < LEAST_WITH_AGE:
            answers.cannot(
                _WHERE[label],
                f"it needs {LEAST_WITH_AGE} training and {LEAST_WITH_AGE} test "
                f"subjects with an age, got {counts[0]} training and {counts[1]} test "
                "subjects",
            )
            continue
        z, years = setting.latents.mean, _years(setting, train)
        guess = ridge(z[train], years, z[test], setting.subjects(train))
        who, truth = setting.subjects(test), _years(setting, test)
        sites = setting.sites(test)
        flat = _means(years, setting.sites(train), sites)
        _keep(answers, label, score_ages(guess, truth, flat, who, rng, sites=sites))
    who = setting.subjects(unseen)
    if len(set(who)) >= 2 * LEAST_WITH_AGE:
        z, years = setting.latents.mean[unseen], _years(setting, unseen)
        found = score_cross_validated(z, years, who, rng)
        _keep(answers, "within_held_out", found)


def _means(
    years: FloatArray, taught: Sequence[str], asked: Sequence[str]
) -> FloatArray:
    """Mean age of the people trained on at the site of each scan that is asked about.

    Of all of them for a site that was not trained on.
    """
    where = np.asarray(taught, dtype=str)
    own = {site: float(years[where == site].mean()) for site in {*taught}}
    return np.array([own.get(site, float(years.mean())) for site in asked])


def _keep(answers: Answers, label: str, found: AgeProbe) -> None:
    answers.add("age", f"mae_years_{label}", found.mae)
    answers.add("age", f"share_of_chance_{label}", found.share)


def _aged(setting: Setting, index: Iterable[int]) -> list[int]:
    return [i for i in index if setting.scans[i].age is not None]


def _years(setting: Setting, index: Sequence[int]) -> FloatArray:
    return np.array([setting.scans[i].age for i in index], dtype=np.float64)


def collapse(setting: Setting, answers: Answers) -> None:
    """Count the latent dimensions that say nothing."""
    found = activity(setting.latents.mean, setting.latents.std)
    dimensions, scans = len(found.inactive), len(setting.scans)
    for name, value in (
        ("inactive_dimensions", float(found.inactive.sum())),
        ("inactive_share", found.share_inactive),
        ("dimensions", float(dimensions)),
        ("kl_nats", float(found.kl_nats.sum())),
    ):
        answers.add("collapse", name, Estimate(value, None, scans))
    if found.inactive.all():
        answers.note(
            "Every latent dimension is inactive: the encoder has collapsed, and its "
            "blindness to the site means nothing."
        )
