"""Does an encoder trained on some sites serve a site it has never seen?

`evaluate` asks one run every question its cohort can answer, `compare_transfer` sets
two runs side by side, `medvae.evaluation.report.write_report` makes the page. The
metrics are pure functions, one idea a file.
"""

from medvae.evaluation.estimate import Estimate
from medvae.evaluation.latents import stored_scans
from medvae.evaluation.protocol import evaluate
from medvae.evaluation.questions.transfer import compare_transfer
from medvae.evaluation.result import Evaluation, read_evaluation

__all__ = [
    "Estimate",
    "Evaluation",
    "compare_transfer",
    "evaluate",
    "read_evaluation",
    "stored_scans",
]
