"""What one run scored on every person, so that arms can be resampled together.

An interval of one arm says little about its difference from another: both met the same
people. Kept per person, every arm is resampled with the same draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from medvae.errors import UserError
from medvae.evaluation.classification import one_vs_rest_auc
from medvae.evaluation.estimate import FloatArray, IntArray, ratio_or_nan
from medvae.evaluation.latents import decode_scans
from medvae.evaluation.leakage import out_of_fold, posterior_view, prepare_folds
from medvae.evaluation.questions.image import has_mean_site_input
from medvae.evaluation.questions.setting import Setting, generator
from medvae.evaluation.reconstruction import z_scored_error
from medvae.evaluation.result import TravelerTransfer
from medvae.evaluation.ridge import ridge
from medvae.evaluation.travelers import recognised
from medvae.files import write_json
from medvae.inputs import AGAIN, checked, read_record

MEASURES = {
    "held_out_reconstruction": "lower",
    "traveler_decoding": "lower",
    "traveler_harmonisation": "lower",
    "leakage": "lower",
    "age_error": "lower",
    "reidentification": "higher",
}
"""What is resampled over people, and which way is better."""


@dataclass(frozen=True)
class Row:
    """One number of one person; ``over`` is what it is divided by in the mean.

    ``site`` is where the scan was made, ``target`` the site it was held against.
    """

    subject: str
    value: float
    over: float = 1.0
    site: str = ""
    target: str = ""


@dataclass(frozen=True, eq=False)
class Probe:
    """Out-of-fold scores of the site probe.

    Args:
        subjects: Who each scan shows.
        labels: Site of each scan, as a number.
        scores: (draws, n, sites).
    """

    subjects: Sequence[str]
    labels: IntArray
    scores: FloatArray

    def auc(self, weights: FloatArray) -> FloatArray:
        """AUC under how often each scan was drawn, (draws of people, n) to (draws,)."""
        found = [one_vs_rest_auc(s, self.labels, weights) for s in self.scores]
        result: FloatArray = np.mean(found, axis=0)
        return result


@dataclass(frozen=True, eq=False)
class Scores:
    """Every measure of one run by person; see ``MEASURES``.

    Args:
        rows: Of the measures that are means over people.
        probe: Of the leakage; None where it could not be asked.
    """

    rows: Mapping[str, Sequence[Row]]
    probe: Probe | None

    def subjects(self) -> set[str]:
        """Everyone in any measure."""
        found = {row.subject for rows in self.rows.values() for row in rows}
        return found | set(self.probe.subjects if self.probe else ())

    def draws(
        self, measure: str, weights: FloatArray, names: Sequence[str]
    ) -> FloatArray:
        """A measure under weights (draws, people named ``names``), (draws,).

        NaN where the run has no such measure, or nobody of it was drawn.
        """
        number = {name: k for k, name in enumerate(names)}
        if measure == "leakage":
            if self.probe is None:
                return np.full(len(weights), np.nan)
            return self.probe.auc(weights[:, [number[s] for s in self.probe.subjects]])
        rows = self.rows.get(measure, ())
        if not rows:
            return np.full(len(weights), np.nan)
        own = weights[:, [number[row.subject] for row in rows]]
        top = own @ np.array([row.value for row in rows])
        bottom = own @ np.array([row.over for row in rows])
        return ratio_or_nan(top, bottom)

    def value(self, measure: str) -> float:
        """A measure with everyone counted once."""
        names = sorted(self.subjects())
        return float(self.draws(measure, np.ones((1, len(names))), names)[0])

    def write(self, path: Path) -> None:
        """Write as JSON."""
        probe = None
        if self.probe is not None:
            probe = {
                "subjects": list(self.probe.subjects),
                "labels": self.probe.labels.tolist(),
                "scores": np.round(self.probe.scores, 5).tolist(),
            }
        rows = {k: [asdict(row) for row in v] for k, v in self.rows.items()}
        write_json(path, {"rows": rows, "probe": probe})


@dataclass(frozen=True)
class _KeptProbe:
    """A probe as JSON holds it."""

    subjects: list[str]
    labels: list[int]
    scores: list[list[list[float]]]  # of every fold split, scan and site


@dataclass(frozen=True)
class _Kept:
    """Scores as JSON holds them."""

    rows: dict[str, list[Row]]
    probe: _KeptProbe | None


def read_scores(path: Path) -> Scores:
    """The inverse of `Scores.write`.

    Raises:
        UserError: The file is damaged.
    """
    kept = checked(_Kept, read_record(path, AGAIN), path, AGAIN)
    found = kept.probe
    if found is None:
        return Scores(kept.rows, None)
    lengths = {len(found.subjects), len(found.labels), *map(len, found.scores)}
    widths = {len(row) for split in found.scores for row in split}
    if len(lengths) > 1 or len(widths) != 1:
        raise UserError(f"{path}: probe: lengths differ, or are 0. {AGAIN}")
    sites = max(widths)
    if not all(0 <= label < sites for label in found.labels):
        raise UserError(
            f"{path}: probe: labels must lie between 0 and {sites - 1}, "
            f"one for each of {sites} sites. {AGAIN}"
        )
    labels, scores = np.array(found.labels), np.array(found.scores)
    return Scores(kept.rows, Probe(found.subjects, labels, scores))


def score(setting: Setting, transfers: Sequence[TravelerTransfer], seed: int) -> Scores:
    """Collect every measure of one run by person.

    Args:
        setting: Encoder, scans and latents.
        transfers: What `medvae.evaluation` scored of travelers.
        seed: Of folds and posterior samples, the same for every arm.
    """
    decoded, harmonised = (
        [
            Row(r.subject, getattr(r, of), site=r.source, target=r.target)
            for r in transfers
            if getattr(r, of) is not None
        ]
        for of in ("error", "with_detail")
    )
    return Scores(
        rows={
            "held_out_reconstruction": reconstructed(setting, setting.held_out_scans()),
            "seen_reconstruction": reconstructed(setting, setting.test_scans()),
            "traveler_decoding": decoded,
            "traveler_harmonisation": harmonised,
            "age_error": age_rows(setting, setting.held_out_scans()),
            "reidentification": _recognition(setting),
        },
        probe=site_probe(setting, setting.test_scans(), seed),
    )


def reconstructed(setting: Setting, index: Sequence[int]) -> list[Row]:
    """Error of every scan in its own variances, decoded with the mean site input."""
    if not index or not has_mean_site_input(setting):
        return []
    size = setting.batch_size
    rows = []
    for i, image in decode_scans(
        setting.encoder, setting.latents, index, None, batch_size=size
    ):
        scan = setting.scans[i]
        error = z_scored_error(image, scan.image, scan.mask)
        rows.append(Row(scan.subject, error, site=scan.site or ""))
    return rows


def age_rows(setting: Setting, asked: Sequence[int]) -> list[Row]:
    """Age errors of a probe of the train subjects, over those of guessing the mean."""
    train = [
        i
        for i in setting.at(setting.seen, ["train"])
        if setting.scans[i].age is not None
    ]
    known = set(setting.subjects(train))
    test = [
        i
        for i in asked
        if setting.scans[i].age is not None and setting.scans[i].subject not in known
    ]
    if len(train) < 2 or not test:
        return []
    years = np.array([setting.scans[i].age for i in train], dtype=np.float64)
    truth = np.array([setting.scans[i].age for i in test], dtype=np.float64)
    z = setting.latents.mean
    guess = ridge(z[train], years, z[test], setting.subjects(train))
    error = np.abs(guess - truth)
    flat = np.abs(years.mean() - truth)
    return [
        Row(setting.scans[i].subject, float(e), float(f), setting.scans[i].site or "")
        for i, e, f in zip(test, error, flat, strict=True)
    ]


def site_probe(setting: Setting, index: Sequence[int], seed: int) -> Probe | None:
    """RBF probe of the training site on posterior samples; None if it has no two."""
    labels, subjects = setting.sites(index), setting.subjects(index)
    count = {
        s: len({w for w, at in zip(subjects, labels, strict=True) if at == s})
        for s in set(labels)
    }
    kept = [k for k, label in enumerate(labels) if count[label] >= 2]
    if len({labels[k] for k in kept}) < 2:
        return None
    use, who = [index[k] for k in kept], [subjects[k] for k in kept]
    names, y = np.unique([labels[k] for k in kept], return_inverse=True)
    rng = generator(seed, "comparison")
    z = posterior_view(
        setting.latents.mean[use], setting.latents.std[use], "sample", rng
    )
    folds = prepare_folds(z, y, who, rng, kind="rbf", standardise=True)
    return Probe(who, y, out_of_fold(folds, y[None], len(names))[0])


def _recognition(setting: Setting) -> list[Row]:
    """Whether a traveler's nearest latent at a training site is their own."""
    people, rows = setting.travelers(), []
    for away in setting.held_out:
        for home in setting.seen:
            who = sorted(w for w, at in people.items() if {away, home} <= set(at))
            if len(who) < 2:
                continue
            a, b = (
                setting.latents.mean[[people[w][s] for w in who]] for s in (away, home)
            )
            hits = recognised(a, b)
            rows += [
                Row(w, float(h), site=away, target=home)
                for w, h in zip(who, hits, strict=True)
            ]
    return rows
