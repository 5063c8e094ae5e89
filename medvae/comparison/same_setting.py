"""Arms side by side at each setting that they share, whatever was chosen of it.

Two arms whose settings were chosen apart may differ by the choice alone, which a few
validation people decide. Here nothing is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medvae.comparison.gap import Drawn, differences, share_of_way, with_interval
from medvae.comparison.plan import Arm, Plan
from medvae.comparison.scores import MEASURES
from medvae.evaluation.estimate import FloatArray


def same_settings(plan: Plan, drawn: Drawn) -> list[dict[str, Any]]:
    """Every measure of all arms that have one of the challenger's settings.

    Args:
        plan: Names the challenger.
        drawn: What `medvae.comparison.gap.draw_people` found.

    Returns:
        A row for each setting: ``settings``; ``arms``, by name and measure ``mean`` and
        ``ci95``; ``differences``, the challenger less each; and ``shares``, by arm and
        measure, of the way from the best generic arm of that setting to the oracle.
        No row where the challenger has but one setting.
    """
    challenger = next((a for a in plan.arms if a.name == plan.challenger), None)
    if challenger is None or len(challenger.settings) < 2:
        return []
    rows = []
    for setting in challenger.settings:
        arms = {
            arm.name: _at(arm, setting, drawn)
            for arm in plan.arms
            if len(arm.settings) > 1 and setting in arm.settings
        }
        alone = {name: [values] for name, values in arms.items()}
        rows.append(
            {
                "settings": dict(setting),
                "arms": {name: _numbers(values) for name, values in arms.items()},
                "differences": differences(alone, plan.challenger),
                "shares": _shares(plan, arms),
            }
        )
    return rows


def _shares(
    plan: Plan, arms: Mapping[str, Mapping[str, FloatArray]]
) -> dict[str, dict[str, dict[str, object]]]:
    generic = [arm.name for arm in plan.arms if arm.is_generic and arm.name in arms]
    oracle = plan.oracle
    if oracle is None or oracle not in arms or not generic:
        return {}
    found: dict[str, dict[str, dict[str, object]]] = {}
    for measure in (m for m, better in MEASURES.items() if better == "lower"):
        start = np.min([arms[name][measure] for name in generic], axis=0)
        for name, values in arms.items():
            if name not in (*generic, oracle) and np.isfinite(values[measure][0]):
                share = share_of_way(start, values[measure], arms[oracle][measure])
                found.setdefault(name, {})[measure] = share.as_dict()
    return found


def _at(arm: Arm, setting: dict[str, Any], drawn: Drawn) -> Mapping[str, FloatArray]:
    return drawn[arm.name][1 + list(arm.settings).index(setting)]  # 0: the chosen one


def _numbers(values: Mapping[str, FloatArray]) -> dict[str, dict[str, object]]:
    known = {k: drawn for k, drawn in values.items() if np.isfinite(drawn[0])}
    return {measure: with_interval(drawn) for measure, drawn in known.items()}
