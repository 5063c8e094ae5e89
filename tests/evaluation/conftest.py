"""One evaluation of an encoder that undoes the scanners, and of one that keeps them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_cohort import evaluated


@pytest.fixture(scope="session")
def blind():
    return evaluated(blind=1.0)


@pytest.fixture(scope="session")
def seeing():
    return evaluated(blind=0.0)
