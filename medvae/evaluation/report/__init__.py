"""The page that shows what came out: one file, no network, readable on a phone."""

from medvae.evaluation.report.page import Picture, write_report
from medvae.evaluation.report.sentences import (
    describe,
    describe_comparison,
    headlines,
)

__all__ = ["Picture", "describe", "describe_comparison", "headlines", "write_report"]
