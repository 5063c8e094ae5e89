"""What all arms of one seed share: scans, splits, the fitted noise, energies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medvae.cohort import Cohort, Scan
from medvae.comparison.claim import mark_of
from medvae.comparison.plan import ORACLES, Arm, Plan
from medvae.comparison.reimaged import reimage_scans
from medvae.errors import UserError
from medvae.evaluation.baselines.nyul import Matching, fit_matching
from medvae.evaluation.latents import StoredScan, stored_scans
from medvae.files import digest, write_json
from medvae.inputs import AGAIN, checked, read_record
from medvae.noise.energy import Sample, changed, energy, is_generic, match_energy
from medvae.noise.fitted import estimate_scans, fit_sites, needs_estimates
from medvae.noise.named import freeze, open_noise
from medvae.phantom.reimage import read_recipe
from medvae.training.data import Views
from medvae.training.run import Material, grid_of
from medvae.training.split import assign_splits
from medvae.volume import PreparedCohort, prepare_scans
from noise_models.base import NoiseModel

Progress = Callable[[int, int, str], None]
Bar = Callable[[str], AbstractContextManager[Progress]]
LEARNED = ("train", "validation")


@dataclass(frozen=True)
class MatchedViews:
    """A scan's own picture with its histogram matched, as its only view."""

    store: PreparedCohort
    matching: Matching

    def views(self, index: int) -> list[NDArray[np.float32]]:
        """The matched scan."""
        return [self.matching.apply(self.store.image(index))]


@dataclass(frozen=True)
class Stage:
    """One seed of a comparison.

    Args:
        plan: The comparison.
        cohort: All scans.
        store: The same, prepared, in the same order.
        seed: Of splits, weights and everything drawn.
        out: Folder of the comparison.
        cache: Folder of prepared scans, estimates and views.
        jobs: Processes.
        bar: Opens a progress display with a title.
        fit_only: Scans of further sites, for the fits of the regime ``many``.
    """

    plan: Plan
    cohort: Cohort
    store: PreparedCohort
    seed: int
    out: Path
    cache: Path
    jobs: int
    bar: Bar
    fit_only: tuple[Scan, ...] = ()

    @cached_property
    def splits(self) -> dict[str, str]:
        """Split by subject; travelers are all test."""
        return assign_splits(self.cohort, self.plan.held_out, self.seed)

    @cached_property
    def content(self) -> list[tuple[str, str | None, str]]:
        """Subject, site and SHA-256 of every scan: what a result depends on."""
        return _content(self.cohort.scans)

    @cached_property
    def fit_only_content(self) -> list[tuple[str, str | None, str]]:
        """The same of the scans that only a fit sees."""
        return _content(self.fit_only)

    @cached_property
    def sites(self) -> tuple[str, ...]:
        """The training sites."""
        return self.cohort.without_sites(self.plan.held_out).sites

    def learned(self, split: str | None = None) -> dict[int, Scan]:
        """Scans that may be learned from, by number; of one split if it is named."""
        wanted = LEARNED if split is None else (split,)
        return {
            i: scan
            for i, scan in enumerate(self.cohort.scans)
            if scan.site in self.sites and self.splits[scan.subject] in wanted
        }

    def prepared(self) -> list[StoredScan]:
        """Every scan with its split; who was not learned from is asked about."""
        known = {who: s for who, s in self.splits.items() if s in LEARNED}
        split = {s.subject: known.get(s.subject, "test") for s in self.cohort.scans}
        return stored_scans(self.store, self.cohort.scans, split)

    def mark(self) -> str:
        """Changes with everything that decides the fits and the levels of this seed."""
        grid = self.store.grid
        content = {
            "scans": self.content,
            "held_out": sorted(self.plan.held_out),
            "energy_scans": self.plan.energy_scans,
            "grid": [*grid.shape, *grid.spacing_mm],
        }
        if self.fit_only:
            content["fit_only"] = self.fit_only_content
        return mark_of(content)

    @property
    def folder(self) -> Path:
        """Where this seed's fits and levels are kept."""
        return self.out / "noise" / f"seed-{self.seed}"

    def fitted_file(self, regime: str) -> Path:
        """The fitted noise of a regime, made when first asked for.

        Unlabelled scans of subjects that are learned from; in the regime ``fitted``
        also those of the held-out sites' own people, in the regime ``many`` those of
        sites that nothing else sees. No traveler.
        """
        path = self.folder / f"scanner-{regime}.yaml"
        if path.exists():
            return path
        scans = list(self.learned().values())
        if regime == "fitted":
            away = set(self.plan.held_out)
            travelers = self.cohort.travelers()
            scans += [
                scan
                for scan in self.cohort.scans
                if scan.site in away and scan.subject not in travelers
            ]
        if regime == "many":
            scans += self.fit_only
        with self.bar(f"Measuring ({regime}, seed {self.seed})") as progress:
            fit_sites(
                self.cohort.keeping(scans),
                path,
                seed=self.seed,
                jobs=self.jobs,
                cache=self.cache,
                progress=progress,
            )
        return path

    def noise(self, arm: Arm) -> NoiseModel:
        """The corruption of an arm, its strength matched where it is generic."""
        if arm.noise in ORACLES or arm.baseline not in (None, "axes"):
            return open_noise("none")[0]
        if arm.noise == "scanner":
            path = self.fitted_file(arm.regime)
            return open_noise(str(path), arm.dispersion)[0]
        noise = open_noise(arm.noise, arm.dispersion)[0]
        if not is_generic(noise) or not self._energy_wanted():
            return noise
        path = self._matched(arm, noise)
        if not path.exists():
            found = match_energy(noise, self._wanted(), self.energy_of)
            write_json(path.with_suffix(".json"), {"factor": found.factor})
            freeze(found.noise, path)
        return open_noise(str(path))[0]

    def level_factor(self, arm: Arm) -> float | None:
        """By which an arm's preset levels were multiplied; None if they were not."""
        if arm.noise in (*ORACLES, "scanner") or arm.baseline is not None:
            return None
        noise = open_noise(arm.noise, arm.dispersion)[0]
        path = self._matched(arm, noise).with_suffix(".json")
        return _number(path, "factor") if path.exists() else None

    def _matched(self, arm: Arm, noise: NoiseModel) -> Path:
        """Where an arm's corruption is kept whose strength is matched.

        What was matched for an arm of the same name and another corruption is no use.
        """
        return self.folder / f"{arm.name}-{mark_of(repr(noise))[:12]}.yaml"

    def _energy_wanted(self) -> bool:
        return any(arm.noise == "scanner" for arm in self.plan.arms)

    def _wanted(self) -> float:
        """Energy of the noise fitted on the training sites, at dispersion 1."""
        path = self.folder / "scanner-energy.json"
        if not path.exists():
            noise = open_noise(str(self.fitted_file("unseen")))[0]
            write_json(path, {"energy": self.energy_of(noise)})
        return _number(path, "energy")

    @cached_property
    def samples(self) -> list[Sample]:
        """Training scans that energies are measured on, spread over sites."""
        scans = self.learned("train")
        known: Mapping[Path, object] = {}
        if self._energy_wanted():
            kept, chosen = self.cache / "estimates", self._measured()
            known = estimate_scans([scans[i] for i in chosen], kept, self.jobs)
        return [
            Sample(
                self.store.image(i),
                self.store.mask(i),
                known.get(scans[i].path, scans[i].site),
            )
            for i in self._measured()
        ]

    def _measured(self) -> list[int]:
        """Numbers of the training scans that energies are measured on."""
        scans = list(self.learned("train"))
        order = np.random.default_rng(self.seed).permutation(scans)
        return sorted(int(i) for i in order[: self.plan.energy_scans])

    def energy_of(self, noise: NoiseModel) -> float:
        """Mean squared change of training scans over the head."""
        spacing = self.store.grid.spacing_mm
        return energy(noise, self.samples, spacing, seed=self.seed)

    def views(self, arm: Arm) -> Views | None:
        """Corruptions made beforehand: of the oracles, and of histogram matching."""
        if arm.baseline == "nyul":
            return MatchedViews(self.store, self.matching)
        if arm.noise not in ORACLES:
            return None
        recipe = read_recipe(self.cohort.root)
        with self.bar(f"Re-imaging ({arm.noise}, seed {self.seed})") as progress:
            return reimage_scans(
                self.learned(),
                self.store,
                recipe,
                self.sites,
                self.cache / "views",
                wide=arm.noise == "oracle_wide",
                jobs=self.jobs,
                progress=progress,
            )

    @cached_property
    def matching(self) -> Matching:
        """The standard scale of the training scans."""
        return fit_matching(self.store.image(i) for i in self.learned("train"))

    def views_energy(self, views: Views) -> float:
        """The energy of corruptions made beforehand: on the same scans, all views."""
        found = [
            changed(self.store.image(i), np.stack(views.views(i)), self.store.mask(i))
            for i in self._measured()
        ]
        return float(np.mean(found))

    def material(self, noise: NoiseModel, views: Views | None) -> Material:
        """What a run learns from: training sites' scans, none of a held-out site."""
        sources: dict[Path, object] = {}
        if needs_estimates(noise):
            with self.bar(f"Measuring (seed {self.seed})") as progress:
                sources |= estimate_scans(
                    list(self.learned().values()),
                    self.cache / "estimates",
                    self.jobs,
                    progress,
                )
        return Material(self.cohort.scans, self.store, self.splits, sources, views)


def _content(scans: Sequence[Scan]) -> list[tuple[str, str | None, str]]:
    return [(scan.subject, scan.site, digest(scan.path)) for scan in scans]


def _number(path: Path, key: str) -> float:
    """One number of a file that this comparison has written."""
    found = checked(dict[str, float], read_record(path, AGAIN), path, AGAIN)
    if key not in found:
        raise UserError(f"{path}: holds no {key}. {AGAIN}")
    return found[key]


def open_store(
    plan: Plan, cohort: Cohort, cache: Path, jobs: int, bar: Bar
) -> PreparedCohort:
    """Every scan on the grid that all arms share.

    Raises:
        UserError: An arm that changes the grid, which would judge it by other images.
    """
    grids = {
        grid_of(plan.training(arm, choice, 0))
        for arm in plan.arms
        for choice in range(len(arm.settings))
    }
    if len(grids) > 1:
        raise UserError("all arms must share one grid. Leave grid out of overrides.")
    (grid,) = grids
    with bar("Preparing") as progress:
        return prepare_scans(cohort.scans, grid, cache / "volumes", jobs, progress)
