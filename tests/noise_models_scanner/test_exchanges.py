"""The permutation p of a pair: exchanges of people, and no less than they allow."""

import numpy as np
import pytest

from noise_models.scanner import goodness
from noise_models.scanner.common_grid import Looks, Specimen
from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.features import FEATURES
from noise_models.scanner.goodness import Half, judge
from noise_models.scanner.two_sample import separation_p


def test_p_of_few_people_is_a_share_of_all_their_exchanges():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(4, 6)), rng.normal(size=(4, 6)) + 9
    shown = rng.normal(size=(4, 9)), rng.normal(size=(4, 9)) + 9
    assert separation_p(a, b, also=shown) == 2 / 70
    assert separation_p(a, b, also=shown, rows=([2, 0, 3, 1], [1, 0, 2, 3])) == 2 / 70


def test_p_falls_below_no_share_that_exchanges_allow():
    rng = np.random.default_rng(4)
    found = [
        separation_p(rng.normal(size=(5, 3)), rng.normal(size=(5, 3)) + 9, seed=seed)
        for seed in range(9)
    ]
    assert found == [2 / 252] * 9  # less than 2 of 199 draws hit, now and then


@pytest.mark.parametrize("people", [4, 12])
def test_what_an_adjustment_leaves_unsure_makes_p_larger(people):
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(people, 3)), rng.normal(size=(people, 3)) + 4
    sure, unsure = (
        separation_p(a, b, unsure=[np.full(3, variance)]) for variance in (0.0, 4.0**2)
    )
    assert sure < 0.03
    assert unsure > 0.3


def test_exchanged_people_take_the_rows_of_both_tables_along():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(24, 4))
    order = [rng.permutation(12)[:5], rng.permutation(12)[:7]]
    both = (x[:12][order[0]], x[12:][order[1]])
    found = [
        separation_p(x[:12], x[12:], also=both, rows=tuple(order), seed=k, repeats=999)
        for k in range(2)
    ]
    slow = _largest_of_both_p(x, [*order[0], *(12 + order[1])], repeats=999)
    assert found == pytest.approx([slow, slow], abs=0.05)


def _largest_of_both_p(x, shown, repeats):
    """With names and sets, an exchange at a time."""
    rng = np.random.default_rng(0)
    shown = [int(k) for k in shown]
    rest = [k for k in range(24) if k not in shown]

    def stat(ours):
        found = []
        for people in (range(24), shown):
            one = x[[k for k in people if k in ours]]
            two = x[[k for k in people if k not in ours]]
            error = np.sqrt(one.var(0) / len(one) + two.var(0) / len(two))
            found.append(np.abs(one.mean(0) - two.mean(0)) / error)
        return np.concatenate(found).max()

    true = set(range(12))
    drawn = [
        {
            int(k)
            for part in (shown, rest)
            for k in rng.choice(part, len(true & set(part)), replace=False)
        }
        for _ in range(repeats)
    ]
    beaten = sum(stat(ours) >= stat(true) - 1e-9 for ours in drawn)
    return (1 + beaten) / (1 + repeats)


def test_rows_of_a_trial_are_those_of_the_same_people(monkeypatch):
    people = ([*"hgfedc", "h"], [*"nmlk"])  # in the order of scans; h came twice
    told = {who: k for k, who in enumerate("cdefghklmn")}
    tables = tuple(
        np.array([[float(told[who])] for who in sorted(set(names))]) for names in people
    )
    trials = [half_of(told, test, real) for test, real in (("gc", "nk"), ("hd", "lm"))]
    asked = {}
    monkeypatch.setattr(
        goodness, "separation_p", lambda *a, **k: asked.update(a=a, **k) or 0.5
    )
    assert judge(trials, tables, [], 0, people=people).separation_p == 0.5
    for table, shown, rows in zip(
        asked["a"], asked["also"], asked["rows"], strict=True
    ):
        assert table[rows][:, 0].tolist() == shown[:, 0].tolist()


def half_of(told, test, real):
    """A half whose scans look like the number of the person."""
    plain = ScanEstimate((0.0,) * len(NAMES), (1.0,) * 3, 1.0, "air")
    volume = np.zeros((8, 8, 8), np.float32)

    def seen(names):
        features = np.repeat([[float(told[who])] for who in names], len(FEATURES), 1)
        return Looks(features, np.ones((len(names), 3)))

    scans = tuple(
        Specimen(volume, plain, row, who)
        for who, row in zip(test, seen(test).features, strict=True)
    )
    return seen(test), Half(None, (), (), scans, seen(real), tuple(real), 0)
