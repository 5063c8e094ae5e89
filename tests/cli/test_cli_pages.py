"""Reports that verbs wrote of real scans, read on a phone."""

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from browser import in_browser
from page_faults import faults_of


@in_browser
@pytest.mark.parametrize(
    ("name", "viewers"), [("fit", 1), ("fit without scans", 0), ("evaluation", 1)]
)
def test_a_report_can_be_read_by_all_on_a_phone(pages, name, viewers):
    page, _ = pages[name]
    assert asyncio.run(faults_of(page, viewers)) == []
