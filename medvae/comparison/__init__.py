"""Arms trained alike but for the corruption, set side by side on sites never seen.

`run_comparison` does all of it, `medvae.comparison.plan` says what is compared. Nothing
is imported before it is used: a plan that does not fit its data is refused in a moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medvae.comparison.plan import Plan, load_plan
    from medvae.comparison.run import run_comparison

__all__ = ["Plan", "load_plan", "run_comparison"]


def __getattr__(name: str) -> object:
    if name in ("Plan", "load_plan"):
        from medvae.comparison import plan

        return getattr(plan, name)
    if name == "run_comparison":
        from medvae.comparison.run import run_comparison

        return run_comparison
    raise AttributeError(f"module 'medvae.comparison' has no attribute {name!r}")
