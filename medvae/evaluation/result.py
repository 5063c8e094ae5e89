"""What an evaluation found, as it is kept in evaluation.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from medvae.errors import UserError
from medvae.evaluation.estimate import Estimate
from medvae.files import write_json
from medvae.inputs import checked, near, read_record

FORMAT = "medvae-evaluation-1"


@dataclass(frozen=True)
class TravelerTransfer:
    """A traveler's held-out-site scan decoded to a training site.

    Errors are mean squared, inside the mask, in units of the target's variance.

    Args:
        subject: Who travelled.
        split: Where the subject's training-site scans were used.
        source: The held-out site.
        target: The training site whose real scan is the truth.
        error: Of decode(encode(x_source), target) against the real scan.
        with_detail: Of that image with the scan's own detail (`medvae.model.detail`),
            which is what ``medvae harmonize`` writes, against the real scan.
            None in results of versions that did not score it.
        do_nothing: Of the untouched held-out scan against the real scan.
        own: Of decode(encode(x_target), target): what the network could reach at best.
        shift_mm: Estimated misplacement, applied to all errors but ``own``.
        turn_degrees: Its rotation.
        psnr: Of the decoded against the real scan, dB.
        ssim: The same as structural similarity.
    """

    subject: str
    split: str | None
    source: str
    target: str
    error: float
    do_nothing: float
    own: float
    shift_mm: tuple[float, float, float]
    turn_degrees: tuple[float, float, float]
    psnr: float | None = None
    ssim: float | None = None
    with_detail: float | None = None


@dataclass(frozen=True)
class LatentPoint:
    """One scan on the two main axes of the latents (principal components)."""

    subject: str
    site: str | None
    split: str | None
    age: float | None
    x: float
    y: float


@dataclass(frozen=True)
class Unanswered:
    """A question the data could not answer, and why."""

    question: str
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """Every number of one run on one cohort.

    Args:
        run: Which run was evaluated.
        held_out: Sites that training never saw.
        metrics: By group, then by name.
        travelers: Every transfer that was scored.
        unanswered: What the data could not answer.
        notes: What a reader must know to trust the numbers.
        points: The latent map.
        provenance: Command, seed, software, and digests of the model and the scans.
    """

    run: str
    held_out: tuple[str, ...]
    metrics: Mapping[str, Mapping[str, Estimate]]
    travelers: tuple[TravelerTransfer, ...] = ()
    unanswered: tuple[Unanswered, ...] = ()
    notes: tuple[str, ...] = ()
    points: tuple[LatentPoint, ...] = field(default=(), repr=False)
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def get(self, group: str, name: str) -> Estimate | None:
        """A number, or None if its question was not answered.

        Example:
            >>> Evaluation("run", (), {}).get("leakage", "auc_rbf_mean") is None
            True
        """
        return self.metrics.get(group, {}).get(name)

    def as_dict(self) -> dict[str, Any]:
        """The content of evaluation.json."""
        return {
            "format": FORMAT,
            "run": self.run,
            "held_out": list(self.held_out),
            "metrics": {
                group: {name: number.as_dict() for name, number in numbers.items()}
                for group, numbers in self.metrics.items()
            },
            "travelers": [asdict(row) for row in self.travelers],
            "unanswered": [asdict(row) for row in self.unanswered],
            "notes": list(self.notes),
            "latent_map": [asdict(point) for point in self.points],
            "provenance": dict(self.provenance),
        }

    def write(self, path: Path) -> dict[str, Any]:
        """Write evaluation.json, whole or not at all, and return its content."""
        content = self.as_dict()
        write_json(path, content)
        return content


def read_evaluation(path: Path) -> Evaluation:
    """Read evaluation.json.

    Raises:
        UserError: The file is missing or is not an evaluation of this format.
    """
    if not path.is_file():
        raise UserError(
            f"{path} not found.{near(path)} Make it with: medvae evaluate RUN"
        )
    content = read_record(path, "Run medvae evaluate again.")
    found = content.get("format")
    if found != FORMAT:
        raise UserError(
            f"{path}: format must be {FORMAT!r}, got {repr(found)[:60]}. "
            "Run medvae evaluate again."
        )
    content["points"] = content.get("latent_map", [])
    return checked(Evaluation, content, path, "Run medvae evaluate again.")


class Answers:
    """Numbers and refusals as they come in; NaN becomes a refusal, never a number."""

    def __init__(self) -> None:
        self.metrics: dict[str, dict[str, Estimate]] = {}
        self.unanswered: list[Unanswered] = []
        self.notes: list[str] = []
        self.travelers: list[TravelerTransfer] = []

    def add(self, group: str, name: str, number: Estimate) -> None:
        """Keep a number."""
        if number.is_finite:
            self.metrics.setdefault(group, {})[name] = number
        else:
            self.cannot(
                f"{group}: {name}",
                f"it needs finite numbers, got {number.value:g}, interval "
                f"{number.ci95 or 'none'}",
            )

    def cannot(self, question: str, reason: str) -> None:
        """Keep a refusal."""
        self.unanswered.append(Unanswered(question, reason))

    def note(self, sentence: str) -> None:
        """Keep a caveat, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)


def names_of(sites: Sequence[str]) -> str:
    """Sites as a reader lists them.

    Example:
        >>> names_of(["NYU", "UM_1", "KKI"]), names_of([])
        ('NYU, UM_1 and KKI', 'no site')
    """
    if not sites:
        return "no site"
    return " and ".join([*[", ".join(sites[:-1])] * (len(sites) > 1), sites[-1]])
