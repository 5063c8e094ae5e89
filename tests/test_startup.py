"""Start-up is held by what is imported: counts do not depend on the machine."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "monai", "numpy", "scipy", "nibabel", "pandas", "matplotlib"}
HEAVY |= {"sklearn", "joblib", "pytorch_lightning", "nilearn", "jinja2", "dask"}
HELP = """
import medvae.cli
sys.argv = ["medvae", "--help"]
try:
    medvae.cli.main()
except SystemExit:
    pass
"""
KNOWN_COHORT = "from medvae.cohort import examined_cohort"


def imported(code):
    """Modules that ``code`` adds to those a fresh interpreter starts with."""
    program = (
        "import json, sys\nbefore = set(sys.modules)\n"
        f"{code}\nprint('\\n' + json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("code", "budget"),
    [
        ("import medvae", 10),
        ("import noise_models", 15),
        (HELP, 320),
        (KNOWN_COHORT, 90),
    ],
    ids=["medvae", "noise_models", "help", "known cohort"],
)
def test_no_more_modules_are_imported_than_the_budget_allows(code, budget):
    found = imported(code)
    tops = {name.partition(".")[0] for name in found}
    assert not tops & HEAVY
    assert len(found) <= budget, found
