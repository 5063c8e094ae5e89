"""The travelers of a fit: compared once, used for sites, trial and record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations

from noise_models.scanner.calibration import Calibration
from noise_models.scanner.common_grid import Specimen
from noise_models.scanner.estimate import ScanEstimate
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.paired.comparison import Compared
from noise_models.scanner.paired.difference import Comparisons, steps_between
from noise_models.scanner.paired.evidence import PairedEvidence, mean_arms
from noise_models.scanner.paired.residual import Couple
from noise_models.scanner.paired.travelers import FEWEST
from noise_models.scanner.record import Record, pair_key
from noise_models.scanner.sites import Site
from noise_models.scanner.transfer import Pair

CAUSES = (
    "voxels too coarse to lay heads over each other (4 mm or more), fields of view "
    "that cut the brain, or a subject label that two people share"
)
REMEDY = "Give finer or larger scans, correct the labels, or fit without --paired."
MOST_COUPLES = 6  # people of a pair whose residual is looked at
HISTOGRAMS = 5  # other people whose histogram is matched
FEWEST_IN_HALF = 2

Arms = tuple[dict[str, float], dict[str, float]]
Trial = tuple[Couple, ScannerNoise, list[Specimen]]


@dataclass(frozen=True)
class Travelers:
    """People seen at several sites, and how the scanners differ in their scans.

    Attributes:
        compared: For pairs (A, B) of sites, in the order of the fit, every visit.
        seed: Of the bootstrap.

    Example:
        >>> Travelers({}).place(())
        ()
    """

    compared: Comparisons
    seed: int = 0

    def place(
        self, sites: tuple[Site, ...], without: frozenset[str] = frozenset()
    ) -> tuple[Site, ...]:
        """The sites where the travelers (but some) put them."""
        fewest = FEWEST_IN_HALF if without else FEWEST
        labels = [site.label for site in sites]
        steps = steps_between(
            labels, self.compared, seed=self.seed, fewest=fewest, without=without
        )
        return steps.moved(sites)

    def trials(
        self,
        pair: tuple[str, str],
        specimens: Mapping[str, Sequence[Specimen]],
        estimates: Mapping[str, Sequence[ScanEstimate]],
        sites: tuple[Site, ...],
        pairs: Mapping[str, Pair],
        calibrations: Mapping[str, Calibration],
    ) -> list[Trial]:
        """What `residual` needs for each person of a pair, who is left out of the fit.

        Args:
            pair: A and B.
            specimens: Scans of all sites on the common grid.
            estimates: Of all scans.
            sites: As they are without travelers.
            pairs: What each pair adds.
            calibrations: Of the pair, for each person without them.
        """
        a, b = pair
        key = pair_key(a, b)
        is_forward = pair in self.compared
        visits = self.compared.get(pair if is_forward else (b, a), ())
        first = {c.subject: c for c in reversed(visits) if not c.problem}
        shown = {site: {s.subject: s for s in specimens[site]} for site in pair}
        native = {e.label: e.shape for site in pair for e in estimates[site]}
        found: list[Trial] = []
        known = set(first) & set(shown[a]) & set(shown[b]) & set(calibrations)
        for who in sorted(known)[:MOST_COUPLES]:
            one, other = shown[a][who], shown[b][who]
            motion = first[who].motion if is_forward else first[who].motion.inverse()
            shapes = native[one.origin.label], native[other.origin.label]
            placed = self.place(sites, frozenset({who}))
            others = [s for s in specimens[b] if s.subject != who][:HISTOGRAMS]
            added = replace(pairs[key], **calibrations[who].settings)
            record = Record(pairs={**pairs, key: added})
            noise = ScannerNoise(placed, target=b, record=record)
            found.append((Couple(one, other, motion, shapes), noise, others))
        return found

    def evidence(
        self, sites: Sequence[Site], residuals: Mapping[tuple[str, str], Sequence[Arms]]
    ) -> dict[str, PairedEvidence]:
        """``"A->B"`` to what its travelers say, for sites that travelers link."""
        labels = [site.label for site in sites]
        steps = steps_between(labels, self.compared, seed=self.seed)
        found = {}
        for a, b in permutations(labels, 2):
            if not steps.are_linked(a, b):
                continue
            step, ends = steps.between(a, b)
            arms = residuals.get((a, b), ())
            found[pair_key(a, b)] = PairedEvidence(
                people=steps.travelers(a, b),
                difference=tuple(step.tolist()),
                ci95=tuple((float(low), float(high)) for low, high in ends),
                psnr_db=mean_arms([psnr for psnr, _ in arms]),
                spectrum=mean_arms([spectrum for _, spectrum in arms]),
            )
        return found

    def warnings(self, sites: Sequence[str]) -> tuple[str, ...]:
        """What did not register, and which pairs do without travelers."""
        said = [
            f"{c.subject} at {a} and {b} left out of the pairs: {c.problem}. "
            "Is it the same person?"
            for (a, b), visits in self.compared.items()
            for c in visits
            if c.problem
        ]
        steps = steps_between(sites, self.compared, seed=self.seed)
        for a, b in combinations(sites, 2):
            if (a, b) in steps.people:
                continue
            shared = _usable(self.compared.get((a, b), ()))
            seen = f"{a} and {b} share {shared} usable travelers, fewer than {FEWEST}"
            how = (
                "their difference goes through other sites"
                if steps.are_linked(a, b)
                else "they are compared by their own means, unpaired"
            )
            said.append(f"{seen}: {how}.")
        return tuple(said)

    def check(self) -> None:
        """Refuse when nothing is left of the pairs.

        Raises:
            ValueError: No two sites keep three people.
        """
        if any(_usable(visits) >= FEWEST for visits in self.compared.values()):
            return
        (a, b), visits = max(self.compared.items(), key=lambda one: _usable(one[1]))
        people = len({c.subject for c in visits})
        failed = next((c for c in visits if c.problem), None)
        named = f" ({failed.subject}: {failed.problem})" if failed else ""
        raise ValueError(
            f"a paired fit needs {FEWEST} travelers whose scans register; of {a} and "
            f"{b}, {_usable(visits)} of {people} registered{named}. Likely causes: "
            f"{CAUSES}. {REMEDY}"
        )


def _usable(visits: Sequence[Compared]) -> int:
    return len({c.subject for c in visits if not c.problem})
