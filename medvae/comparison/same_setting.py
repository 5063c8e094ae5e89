"""Arms side by side at each setting that they share, whatever was chosen of it.

Two arms whose settings were chosen apart may differ by the choice alone, which a few
validation people decide. Here nothing is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medvae.comparison.gap import differences
from medvae.comparison.plan import Arm, Plan
from medvae.evaluation.bootstrap import percentiles
from medvae.evaluation.estimate import FloatArray

Drawn = Mapping[str, Sequence[Mapping[str, FloatArray]]]


def same_settings(plan: Plan, drawn: Drawn) -> list[dict[str, Any]]:
    """Every measure of all arms that have one of the challenger's settings.

    Args:
        plan: Names the challenger.
        drawn: What `medvae.comparison.gap.draw_people` found.

    Returns:
        A row for each setting: ``settings``; ``arms``, by name and measure ``mean`` and
        ``ci95``; and ``differences``, the challenger less each. No row where the
        challenger has but one setting.
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
            }
        )
    return rows


def _at(arm: Arm, setting: dict[str, Any], drawn: Drawn) -> Mapping[str, FloatArray]:
    return drawn[arm.name][1 + list(arm.settings).index(setting)]  # 0: the chosen one


def _numbers(values: Mapping[str, FloatArray]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for measure, drawn in values.items():
        if np.isfinite(drawn[0]):
            ci95 = percentiles(drawn[1:])
            found[measure] = {
                "mean": float(drawn[0]),
                "ci95": None if ci95 is None else list(ci95),
            }
    return found
