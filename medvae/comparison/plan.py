"""What is compared: data, sites kept out, seeds, arms, and the settings they share."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from medvae.errors import UserError
from medvae.settings import check_settings, nearest, read_settings
from medvae.training.config import TrainConfig, parse_config

GENERIC = ("none", "gaussian", "salt_and_pepper", "randomised")
"""Corruptions that no scan was looked at for."""
ALSO_GENERIC = ("randomised_full",)
"""Such, too; a plan that wants it names it."""
ORACLES = ("oracle", "oracle_wide")
"""True scanners, which only a phantom has."""
Baseline = Literal["pca", "combat", "nyul", "axes"]
UNTRAINED = ("pca", "combat", "axes")
"""Baselines that train no network of their own."""
OF_OTHERS = ("combat", "axes")
"""Baselines that need another arm to be finished."""
OWN_FILES = ("scanner-unseen", "scanner-fitted", "scanner-many", "scanner-energy")
"""Names in the folder of fits and levels that no arm may take."""


NO_DATA = (
    "no data: name it with --data, or a --config that simulates it, such as "
    "compare-small."
)
_TRAINING = TrainConfig.model_fields


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PhantomSettings(_Section):
    """The simulated hospitals to make where no data is named."""

    sites: tuple[str, ...]
    subjects: int = Field(20, ge=1)
    travelers: int = Field(12, ge=0)
    voxel_scale: float = Field(2.0, ge=1, le=8)
    seed: int = Field(0, ge=0)


class Arm(_Section):
    """One way to train.

    Args:
        name: What tables call it.
        noise: ``none``, a registered model, a preset or fitted file, ``scanner``
            (fitted by the comparison itself), ``oracle`` or ``oracle_wide``.
        dispersion: Of a fitted noise.
        regime: ``unseen``: nothing of the held-out sites; ``fitted``: their unlabelled
            scans join the fit of the noise, and nothing else; ``many``: those of the
            plan's ``fit_only`` sites do.
        overrides: Training settings of this arm, such as ``objective.beta: 0.5``.
        choices: Sets of further settings, tried on every seed; the best one is chosen
            on the training sites' validation subjects.
        baseline: ``pca`` needs no training, ``combat`` corrects another arm's latents,
            ``nyul`` matches histograms before the encoder, ``axes`` reads the codes of
            arm ``of`` along axes of people (`medvae.encoding.axes`), fitted to copies
            that ``noise`` has corrupted.
        of: The arm whose codes are read.
        axes: How many axes are kept.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$")
    noise: str = "none"
    dispersion: float = Field(1.0, ge=0)
    regime: Literal["unseen", "fitted", "many"] = "unseen"
    overrides: dict[str, Any] = {}
    choices: tuple[dict[str, Any], ...] = ()
    baseline: Baseline | None = None
    of: str = ""
    axes: int = Field(10, ge=1)

    @property
    def is_generic(self) -> bool:
        """Whether it competes for the best arm that knows nothing of scanners."""
        return self.baseline is None and self.noise in (*GENERIC, *ALSO_GENERIC)

    def reads(self, other: Arm) -> bool:
        """Whether this is the other arm's code, read by the other arm's own means.

        Copies made with what the other arm was not trained with, the true scanners say,
        would lend it knowledge that it does not have.

        Example:
            >>> own = Arm(name="b", baseline="axes", of="a", noise="gaussian")
            >>> own.reads(Arm(name="a", noise="gaussian"))
            True
            >>> own.reads(Arm(name="a", noise="scanner"))
            False
        """
        means = ("noise", "dispersion", "regime")
        alike = all(getattr(self, key) == getattr(other, key) for key in means)
        return self.of == other.name and alike

    @property
    def settings(self) -> tuple[dict[str, Any], ...]:
        """Every set of overrides to train, at least one."""
        return tuple({**self.overrides, **c} for c in self.choices) or (self.overrides,)


class Plan(_Section):
    """A whole comparison.

    Args:
        phantom: What to make where no data is named.
        held_out: Sites that no arm is trained on.
        fit_only: Sites whose unlabelled scans join the fit of arms of the regime
            ``many``, and nothing else: no training, no question.
        seeds: How many runs of every arm.
        arms: What is compared, the challenger ``scanner`` among them.
        train: Settings that all arms share; see train.yaml in configs.
        challenger: The arm that the others are set against.
        energy_scans: Training scans that corruption energies are measured on.
        permutations: Of every permutation test.
    """

    phantom: PhantomSettings | None = None
    held_out: tuple[str, ...] = ()
    fit_only: tuple[str, ...] = ()
    seeds: int = Field(3, ge=1)
    arms: tuple[Arm, ...] = ()
    train: dict[str, Any] = {}
    challenger: str = "scanner"
    energy_scans: int = Field(24, ge=1)
    permutations: int = Field(200, ge=1)

    @property
    def oracle(self) -> str | None:
        """Name of the arm that is trained with the true scanners, if there is one."""
        arms = (a for a in self.arms if a.noise == "oracle" and a.baseline is None)
        return next((arm.name for arm in arms), None)

    def arm(self, name: str) -> Arm:
        """The arm of that name.

        Raises:
            UserError: There is none; names the nearest.
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        hint = nearest(name, [arm.name for arm in self.arms])
        raise UserError(f"no arm named {name!r}.{hint}")

    def training(self, arm: Arm, choice: int, seed: int) -> TrainConfig:
        """The training settings of one run.

        Example:
            >>> plan = Plan(arms=standard_arms(), held_out=("NYU",))
            >>> plan.training(plan.arm("gaussian"), 0, 3).seed
            3
        """
        content = copy.deepcopy(self.train)
        for key, value in arm.settings[choice].items():
            place(content, key, value)
        content |= {"held_out": list(self.held_out), "seed": seed, "noise": arm.noise}
        if arm.noise == "scanner":
            content["dispersion"] = arm.dispersion
        return parse_config(content, f"arm {arm.name}")


def standard_arms() -> tuple[Arm, ...]:
    """Every arm that a comparison knows without being told.

    Example:
        >>> [arm.name for arm in standard_arms() if arm.is_generic]
        ['none', 'gaussian', 'salt_and_pepper', 'randomised']
    """
    return (
        *(Arm(name=name, noise=name) for name in GENERIC),
        Arm(name="scanner", noise="scanner"),
        Arm(name="scanner_wide", noise="scanner", dispersion=2.0),
        Arm(name="scanner_fitted", noise="scanner", regime="fitted"),
        *(Arm(name=name, noise=name) for name in ORACLES),
        Arm(name="pca", baseline="pca"),
        Arm(name="combat", baseline="combat"),
        Arm(name="combat_fitted", baseline="combat", regime="fitted"),
        Arm(name="nyul", baseline="nyul"),
    )


def place(content: dict[str, Any], key: str, value: object) -> None:
    """Set ``a.b`` in nested settings.

    Example:
        >>> settings = {"objective": {"beta": 1.0}}
        >>> place(settings, "objective.beta", 0.5); settings
        {'objective': {'beta': 0.5}}
    """
    *parents, last = key.split(".")
    for parent in parents:
        content = content.setdefault(parent, {})
        if not isinstance(content, dict):
            raise UserError(
                f"{key}: {parent} must hold keys and values, got {content!r:.60}."
            )
    content[last] = value


def load_plan(
    path: Path | None = None,
    *,
    noise: Sequence[str] = (),
    held_out: Sequence[str] = (),
    seeds: int | None = None,
) -> Plan:
    """Read a plan, then let the command line choose arms, sites and seeds.

    Args:
        path: YAML with the keys of `Plan`; without arms in it the standard ones, less
            the oracles, which only a phantom has.
        noise: Names of arms; all of the plan's if empty. A registered noise model, a
            preset or a fitted file may be named too.
        held_out: Sites to keep out instead of the plan's.
        seeds: How many, instead of the plan's.

    Raises:
        UserError: An unreadable file, an unknown key or a value out of range.

    Example:
        >>> [arm.name for arm in load_plan(noise=["none", "rician"]).arms]
        ['none', 'rician']
    """
    where = str(path) if path else "comparison"
    content = read_settings(path) if path else {}
    known = set(Plan.model_fields)
    if content and not known & set(content) and set(content) & set(_TRAINING):
        raise UserError(
            f"{where}: settings of one training; a comparison's file has "
            f"{', '.join(sorted(known))}, and such settings under 'train'. Start from "
            "a copy of --config compare-small."
        )
    plan = check_settings(Plan, content, where)
    change: dict[str, Any] = {"arms": plan.arms or _without_oracles()}
    if noise:
        change["arms"] = tuple(_named(change["arms"], name) for name in noise)
    if held_out:
        change["held_out"] = tuple(dict.fromkeys(held_out))
    if seeds is not None:
        change["seeds"] = seeds
    plan = plan.model_copy(update=change)
    _check(plan, where)
    return plan


def _without_oracles() -> tuple[Arm, ...]:
    return tuple(arm for arm in standard_arms() if arm.noise not in ORACLES)


def _named(arms: Sequence[Arm], name: str) -> Arm:
    import noise_models

    every = {arm.name: arm for arm in (*standard_arms(), *arms)}
    if name in every:
        return every[name]
    if Path(name).suffix in (".yaml", ".yml") or name in noise_models.names():
        content = {"name": Path(name).stem, "noise": name}
        return check_settings(Arm, content, f"--noise {name}")
    return Plan(arms=tuple(every.values())).arm(name)


def _check(plan: Plan, where: str) -> None:
    names = [arm.name for arm in plan.arms]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"{where}: arm {twice[0]!r} is named twice. Name it once.")
    if plan.seeds < 1:
        raise UserError(f"{where}: seeds must be at least 1, got {plan.seeds}.")
    for name in set(names) & set(OWN_FILES):
        raise UserError(
            f"{where}: arm {name!r}: a file of the comparison itself is called so. "
            "Choose another name."
        )
    combat = [arm.name for arm in plan.arms if arm.baseline == "combat"]
    if combat and not any(a.noise == "none" and a.baseline is None for a in plan.arms):
        raise UserError(f"{where}: {combat[0]} corrects the arm 'none'. Name it too.")
    if both := sorted({*plan.fit_only} & {*plan.held_out}):
        raise UserError(
            f"{where}: {both[0]} is held out and in fit_only. Name it in one of them."
        )
    for arm in plan.arms:
        if arm.regime == "many" and not (plan.fit_only and arm.noise == "scanner"):
            raise UserError(
                f"{where}: {arm.name}: the regime many fits the noise scanner on more "
                f"sites. Name them in fit_only, and scanner as noise, got {arm.noise}."
            )
        if arm.baseline in UNTRAINED and arm.choices:
            raise UserError(f"{where}: {arm.name} trains nothing: leave choices out.")
        if (arm.baseline == "axes") != bool(arm.of):
            raise UserError(
                f"{where}: {arm.name}: baseline axes and of, the arm whose codes are "
                "read, go together."
            )
        if arm.of and plan.arm(arm.of).baseline in UNTRAINED:
            raise UserError(
                f"{where}: {arm.name}: of {arm.of} must name an arm that trains."
            )
        for choice in range(len(arm.settings)):
            plan.training(arm, choice, 0)


def check_holds_out(plan: Plan, sites: Sequence[str]) -> None:
    """Refuse a plan that keeps no site out of training.

    Args:
        plan: What is compared.
        sites: Those there are.

    Raises:
        UserError: Names them.
    """
    if not plan.held_out:
        raise UserError(
            "a comparison keeps a site out of all training. Name one with --held-out; "
            f"known: {', '.join(sites)}."
        )
