"""Any bytes at all: every reader takes them or refuses them as the user's.

A small budget and the same bytes every time here; ``benchmarks/fuzz.py`` draws new ones
for as long as it is let.
"""

import random

import pytest
from findings import FINDINGS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mangling import mangled
from readers import READERS

SLOW = {
    "fitted",
    "fitted-redigested",
    "latent",
    "map",
    "weights",
    "config",
    "evaluation",
}
BUDGET = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))


def test_the_bytes_drawn_here_are_the_same_every_time():
    assert BUDGET.derandomize


@pytest.mark.parametrize("name", READERS)
def test_what_is_valid_is_taken(name):
    if name in {"pointer", "table"}:  # they lead to files that are not there
        return
    assert all(READERS[name].feed(seed) for seed in READERS[name].seeds())


@pytest.mark.parametrize("name", READERS)
@settings(BUDGET, max_examples=12)
@given(content=st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_taken_or_refused(name, content):
    READERS[name].feed(content)


@pytest.mark.parametrize("name", READERS)
def test_valid_files_with_something_changed_are_taken_or_refused(name):
    reader, rng = READERS[name], random.Random(name)
    seeds = reader.seeds()
    for _ in range(6 if name in SLOW else 30):
        reader.feed(mangled(rng.choice(seeds), rng))


@pytest.mark.parametrize(("name", "content"), FINDINGS, ids=[n for n, _ in FINDINGS])
def test_what_once_tripped_a_reader_is_refused(name, content):
    reader = READERS[name]
    given_bytes = content(reader.seeds()[0]) if callable(content) else content
    assert reader.feed(given_bytes) is False
