"""Scans held against fitted sites: a scanner that drifts, a label that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joblib import delayed

from medvae.errors import UserError
from medvae.report.p_values import p_value
from medvae.volume.checks import refuse_bad
from noise_models.workers import workers

if TYPE_CHECKING:
    from noise_models.scanner import ScanEstimate, ScannerNoise
    from noise_models.scanner.likelihood import Drift, Score

Progress = Callable[[int, int, str], None]

FEWEST_FOR_DRIFT = 3


@dataclass(frozen=True)
class Scored:
    """A scan and how it stands to every fitted site.

    Attributes:
        path: The file.
        scores: One for each site, the likeliest site first.
        probabilities: Of every site, if the scan is from one of them.
        flags: What is odd about the scan.

    Example:
        >>> Scored(Path("a.nii.gz"), (), {}, ()).scores
        ()
    """

    path: Path
    scores: tuple[Score, ...]
    probabilities: dict[str, float]
    flags: tuple[str, ...]

    @property
    def likeliest(self) -> str:
        """The site that explains the scan best."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "path": str(self.path),
            "likeliest_site": self.likeliest,
            "probabilities": self.probabilities,
            "flags": list(self.flags),
            "sites": {
                found.site: {
                    "log_prob": found.log_prob,
                    "distance": found.distance,
                    "p": found.p,
                    "verdict": found.verdict,
                    "strange": dict(found.strange),
                }
                for found in self.scores
            },
        }


def drift_told(moved: Drift, site: str) -> str:
    """What several scans together say of their scanner, in a sentence.

    Example:
        >>> from noise_models.scanner.likelihood import Drift
        >>> drift_told(Drift(4, 3, "psf_y_mm2", -0.8, 1.0), "NYU")
        'no common drift from NYU seen (p = 1.00 over 4 scans of 3 people, all
        parameters counted)'
    """
    from noise_models.scanner.likelihood import UNUSUAL_P
    from noise_models.scanner.words import PARAMETERS, change_of

    scans = f"{moved.scans} scans of {moved.people} people"
    sure = f"({p_value(moved.p)} over {scans}, all parameters counted)"
    if moved.p >= UNUSUAL_P:
        return f"no common drift from {site} seen {sure}"
    by = change_of(moved.parameter, moved.change)
    return f"{PARAMETERS[moved.parameter]} moved {by} from {site} {sure}"


def not_comparable(noise: ScannerNoise) -> tuple[str, ...]:
    """Parameters that the fit describes elsewhere than where a raw scan lies.

    Adjusted ones are those of the common age and sex, and travelers move the sites'
    sharpness, contrast and shading to where the same heads would put them.
    """
    from noise_models.scanner.estimate import BIAS_NAMES, CONTRAST_NAMES, PSF_NAMES

    covariates = noise.record.covariates.values()
    if noise.record.paired:
        return (*PSF_NAMES, *CONTRAST_NAMES, *BIAS_NAMES)
    if any(one.adjusted for one in covariates):
        return (*PSF_NAMES, *CONTRAST_NAMES)
    return ()


def without(estimate: ScanEstimate, names: Sequence[str]) -> ScanEstimate:
    """The estimate, silent on some parameters."""
    from noise_models.scanner.estimate import NAMES

    values = [
        float("nan") if name in names else value
        for name, value in zip(NAMES, estimate.values, strict=True)
    ]
    return replace(estimate, values=tuple(values))


def people_shown(
    scans: Sequence[Path], subjects: Sequence[str | None] | None
) -> list[str]:
    """Who each scan shows: a person of their own where nothing is known.

    Example:
        >>> people_shown([Path("a.nii"), Path("b.nii")], ["01", None])
        ['sub-01', 'b.nii']
    """
    named = subjects or [None] * len(scans)
    return [
        str(path) if who is None else f"sub-{who}"
        for path, who in zip(scans, named, strict=True)
    ]


def score_scans(
    noise: ScannerNoise,
    scans: Sequence[Path],
    *,
    subjects: Sequence[str | None] | None = None,
    site: str | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> tuple[list[Scored], Drift | None, list[str]]:
    """Measure scans and hold each against the sites of a fit; a bad one stops no other.

    Args:
        noise: The fit.
        scans: NIfTI files.
        subjects: Who each shows; a person of their own where None.
        site: The site they are said to be from: only it is scored, and their common
            drift from it.
        jobs: Processes.
        progress: Called with (done, total, name).

    Returns:
        A row a scan; the drift, None without ``site`` or with fewer than 3 people; and
        a message for every scan that could not be measured.

    Raises:
        UserError: The site was not fitted.
    """
    from noise_models.registry import suggest
    from noise_models.scanner.likelihood import drift, score, site_probabilities

    if site is not None and site not in noise.labels:
        raise UserError(f"site {site!r} was not fitted; {suggest(site, noise.labels)}")
    named = subjects or [None] * len(scans)
    measured, problems = measure_good(scans, jobs=jobs, progress=progress)
    shut = not_comparable(noise)
    estimates = {i: without(one, shut) for i, one in measured.items()}
    rows = []
    for i, estimate in estimates.items():
        shares = site_probabilities(noise.sites, estimate)
        asked = [s for s in noise.sites if site is None or s.label == site]
        scores = [score(one, estimate) for one in asked]
        scores.sort(key=lambda one: -one.log_prob)
        rows.append(Scored(scans[i], tuple(scores), shares, estimate.flags))
    moved = None
    people = people_shown([scans[i] for i in estimates], [named[i] for i in estimates])
    if site is not None and len(set(people)) >= FEWEST_FOR_DRIFT:
        (known,) = (s for s in noise.sites if s.label == site)
        moved = drift(known, [*estimates.values()], people)
    return rows, moved, problems


def measure_good(
    scans: Sequence[Path], *, jobs: int = 1, progress: Progress | None = None
) -> tuple[dict[int, ScanEstimate], list[str]]:
    """Measure what can be measured.

    Args:
        scans: NIfTI files.
        jobs: Processes.
        progress: Called with (done, total, name).

    Returns:
        The estimate of every good scan, by its place in ``scans``, and a message for
        every bad one.

    Example:
        >>> found, problems = measure_good([Path("nowhere.nii")])
        >>> len(found), len(problems)
        (0, 1)
    """
    from noise_models.scanner import estimate_cached

    problems: dict[int, str] = {}
    for i, path in enumerate(scans):
        try:
            refuse_bad(path)
        except UserError as error:
            problems[i] = str(error)
    whole = [i for i in range(len(scans)) if i not in problems]
    work = (delayed(_measured)(estimate_cached, scans[i]) for i in whole)
    found: dict[int, ScanEstimate] = {}
    for done, (i, result) in enumerate(
        zip(whole, workers(jobs)(work), strict=True), start=1
    ):
        if isinstance(result, str):
            problems[i] = result
        else:
            found[i] = result
        if progress:
            progress(done, len(whole), scans[i].name)
    return found, [problems[i] for i in sorted(problems)]


def _measured(
    estimate: Callable[[Path, str], ScanEstimate], path: Path
) -> ScanEstimate | str:
    """What a scan tells of its scanner, or why it tells nothing."""
    try:
        return estimate(path, str(path))
    except (ValueError, FileNotFoundError) as error:
        return str(error)
