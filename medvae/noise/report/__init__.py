"""The report of a fit: what differs, what was fitted, how well it does."""

from medvae.noise.report.inputs import inputs_among
from medvae.noise.report.page import write_fit_report

__all__ = ["inputs_among", "write_fit_report"]
