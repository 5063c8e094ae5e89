"""Is the site still in the latent, and is the held-out site a stranger there?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np

from medvae.counted import counted
from medvae.evaluation.bootstrap import percentiles
from medvae.evaluation.covariates import covariate_table, is_told_apart
from medvae.evaluation.distribution import prior_width, squared_distances, two_sample
from medvae.evaluation.estimate import Estimate, FloatArray
from medvae.evaluation.leakage import Kind, View, posterior_view, probe
from medvae.evaluation.permutation import permute_labels
from medvae.evaluation.questions.setting import Setting, generator
from medvae.evaluation.result import Answers, names_of

LEAST_AGES = 5  # that differ


def leakage(setting: Setting, answers: Answers, seed: int, permutations: int) -> None:
    """Probe the training site of test subjects, and held-out against training."""
    index = setting.test_scans()
    sites = setting.sites(index)
    people = {
        s: len({setting.scans[i].subject for i in setting.at([s], ["test"])})
        for s in setting.seen
    }
    kept = [site for site, count in people.items() if count >= 2]
    if len(kept) < 2:
        answers.cannot(
            "site leakage",
            "it needs two training sites with two test subjects each, got "
            f"{_at(people) or 'no training site'}",
        )
    else:
        if len(kept) < len(people):
            few = names_of([s for s in people if s not in kept])
            answers.note(
                f"Site leakage leaves out {few}: fewer than two test subjects."
            )
        use = [i for i, site in zip(index, sites, strict=True) if site in kept]
        rng = generator(seed, "leakage")
        for view in get_args(View):
            for kind in get_args(Kind):
                _probe(
                    setting,
                    answers,
                    "leakage",
                    use,
                    setting.sites(use),
                    view,
                    kind,
                    rng,
                    permutations,
                )
        _beyond_people(setting, answers, use, permutations, seed)
    _same_people(setting, answers, permutations, seed)
    stranger(setting, answers, seed, permutations)


def _same_people(
    setting: Setting, answers: Answers, permutations: int, seed: int
) -> None:
    """The training site of travelers' scans alone: all sites show the same people."""
    people = {
        who: {site: i for site, i in at.items() if site in setting.seen}
        for who, at in setting.travelers().items()
    }
    use = [i for at in people.values() if len(at) > 1 for i in at.values()]
    shown = Counter(setting.sites(use))
    if len(shown) < 2 or min(shown.values()) < 2:
        answers.cannot(
            "site leakage among travelers",
            "it needs travelers seen at several training sites, two of them at each, "
            f"got {_at(shown) or 'none'}",
        )
        return
    z = setting.latents
    rng = generator(seed, "leakage of travelers")
    found = probe(
        posterior_view(z.mean[use], z.std[use], "sample", rng),
        setting.sites(use),
        setting.subjects(use),
        rng,
        permutations=permutations,
    )
    answers.add("leakage", "auc_rbf_sample_travelers", found.auc)


def _at(counts: Mapping[str, int]) -> str:
    return names_of([f"{n} at {s}" for s, n in counts.items()]) if counts else ""


def _beyond_people(
    setting: Setting,
    answers: Answers,
    index: Sequence[int],
    permutations: int,
    seed: int,
) -> None:
    """The RBF probe again, without what age and sex explain of the latents."""
    ages = [setting.scans[i].age for i in index]
    if None in ages or len(set(ages)) < LEAST_AGES:
        people = counted(len(set(setting.subjects(index))), "test subject")
        known = len({*ages} - {None})
        unknown = f", {ages.count(None)} scans without" if None in ages else ""
        answers.cannot(
            "site leakage beyond age",
            f"it needs the age of every test subject, and {LEAST_AGES} different ages "
            f"among them, got {counted(known, 'different one')} of {people}{unknown}",
        )
        return
    years, sexes = [age or 0.0 for age in ages], [setting.scans[i].sex for i in index]
    labels = setting.sites(index)
    table, names = covariate_table(years, sexes)
    if not is_told_apart(table, labels) and names == "age_sex":
        answers.note(
            "Site leakage beyond age leaves sex in: it is the same for all of a site, "
            "and what it does cannot be told from what the scanner does."
        )
        table, names = covariate_table(years, [None] * len(years))
    if not is_told_apart(table, labels):
        answers.cannot(
            "site leakage beyond age",
            "it needs people of different ages within sites, got ages that tell the "
            "site",
        )
        return
    rng = generator(seed, "leakage beyond people")
    views: tuple[View, ...] = ("sample", "mean")
    for view in views:
        z = setting.latents
        found = probe(
            posterior_view(z.mean[index], z.std[index], view, rng),
            labels,
            setting.subjects(index),
            rng,
            permutations=permutations,
            covariates=table,
        )
        label = f"rbf_{view}_given_{names}"
        answers.add("leakage", f"balanced_accuracy_{label}", found.balanced_accuracy)
        answers.add("leakage", f"auc_{label}", found.auc)


def _probe(
    setting: Setting,
    answers: Answers,
    group: str,
    index: Sequence[int],
    labels: Sequence[str],
    view: View,
    kind: Kind,
    rng: np.random.Generator,
    permutations: int,
) -> None:
    z = setting.latents
    features = posterior_view(z.mean[index], z.std[index], view, rng)
    found = probe(
        features,
        labels,
        setting.subjects(index),
        rng,
        kind=kind,
        standardise=view != "whitened",
        permutations=permutations,
    )
    answers.add(group, f"balanced_accuracy_{kind}_{view}", found.balanced_accuracy)
    answers.add(group, f"auc_{kind}_{view}", found.auc)


def stranger(setting: Setting, answers: Answers, seed: int, permutations: int) -> None:
    """Tell held-out-site scans from test scans of training sites.

    The biology of the two groups may differ too (ages, diagnoses), so this bounds the
    site's trace from above.
    """
    group = "held_out_distance"
    seen, unseen = setting.test_scans(), setting.held_out_scans()
    people = [set(setting.subjects(part)) for part in (seen, unseen)]
    if min(len(part) for part in people) < 2:
        answers.cannot(
            "distance of the held-out site",
            "it needs two test subjects at training sites and two at a held-out site, "
            f"got {len(people[0])} and {len(people[1])}",
        )
        return
    index = [*seen, *unseen]
    rng = generator(seed, group)
    where = ["seen"] * len(seen) + ["held-out"] * len(unseen)
    for kind in get_args(Kind):
        _probe(setting, answers, group, index, where, "sample", kind, rng, permutations)
    z = setting.latents.mean[index]
    squared = squared_distances(z, z)
    width = prior_width(z.shape[1])
    first, who = np.arange(len(index)) < len(seen), setting.subjects(index)
    for name, similarity in (
        ("mmd2", np.exp(-squared / (2 * width**2))),
        ("energy_distance", -np.sqrt(squared)),
    ):
        answers.add(group, name, two_groups(similarity, first, who, rng, permutations))


def two_groups(
    similarity: FloatArray,
    first: np.ndarray[tuple[int], np.dtype[np.bool_]],
    subjects: Sequence[str],
    rng: np.random.Generator,
    permutations: int,
) -> Estimate:
    """A distance of two groups of scans; people resampled, and their labels permuted.

    Args:
        similarity: (n, n), as `two_sample` takes it.
        first: (n,) True for members of the first group.
        subjects: Who each scan shows.
        rng: Draws and permutations.
        permutations: How many.
    """
    names, whose = np.unique(np.asarray(subjects), return_inverse=True)
    observed = two_sample(similarity, first, person=whose)
    label = first.astype(np.intp)
    null = np.array(
        [
            two_sample(
                similarity, permute_labels(label, subjects, rng) == 1, person=whose
            )
            for _ in range(permutations)
        ]
    )
    p = (1 + int(np.sum(null >= observed - 1e-15))) / (1 + permutations)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=1000)
    drawn = [
        two_sample(similarity, first, w[whose].astype(float), whose) for w in counts
    ]
    return Estimate(
        value=observed, ci95=percentiles(np.array(drawn)), n=len(names), chance=0.0, p=p
    )
