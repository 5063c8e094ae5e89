"""Arms trained alike but for the corruption, set side by side on sites never seen.

`run_comparison` does all of it, `medvae.comparison.plan` says what is compared.
"""

from medvae.comparison.plan import Plan, load_plan
from medvae.comparison.run import run_comparison

__all__ = ["Plan", "load_plan", "run_comparison"]
