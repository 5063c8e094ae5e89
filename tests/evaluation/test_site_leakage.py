import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from medvae.evaluation.classification import balanced_accuracy, one_vs_rest_auc
from medvae.evaluation.leakage import (
    PENALTY,
    _fold,
    grouped_folds,
    out_of_fold,
    posterior_view,
    probe,
)
from medvae.evaluation.permutation import permute_labels


def names(n):
    return [str(i) for i in range(n)]


def test_a_pure_stretch_hides_from_the_linear_probe_and_not_from_rbf():
    rng = np.random.default_rng(0)
    z, site = rng.normal(size=(300, 16)), ["A"] * 150 + ["B"] * 150
    z[150:] *= 1.3
    linear = probe(z, site, names(300), rng, kind="linear", permutations=20)
    rbf = probe(z, site, names(300), rng, kind="rbf", permutations=20)
    assert 0.4 < linear.balanced_accuracy.value < 0.58
    assert rbf.balanced_accuracy.value > 0.62


def test_linear_probe_is_scikit_learns_kernel_ridge_on_standardised_features():
    rng = np.random.default_rng(0)
    x, y = rng.normal(2, 3, size=(30, 6)), np.arange(30) % 3
    train, test = np.arange(22), np.arange(22, 30)
    count = np.bincount(y[train])
    weight = len(train) / (3 * count[y[train]])
    scaled = StandardScaler().fit(x[train])
    a, b = scaled.transform(x[train]), scaled.transform(x[test])
    for kind, kernel in (
        ("linear", lambda u, v: u @ v.T / 6),
        ("rbf", lambda u, v: np.exp(-((u[:, None] - v) ** 2).sum(-1) / 6)),
    ):
        ridge = KernelRidge(alpha=PENALTY[kind], kernel="precomputed")
        target = 2.0 * (y[train][:, None] == np.arange(3)) - 1
        ridge.fit(kernel(a, a) + 1, target, sample_weight=weight)
        fold = _fold(x, train, test, kind, standardise=True)
        ours = out_of_fold([[fold]], y[None], 3)[0, 0, test]
        np.testing.assert_allclose(ours, ridge.predict(kernel(b, a) + 1), atol=1e-8)


def test_marks_are_scikit_learns():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=80)
    scores = rng.normal(size=(80, 3)).round(1)  # with ties
    expected = balanced_accuracy_score(y, scores.argmax(1))
    assert balanced_accuracy(scores, y) == pytest.approx(expected)
    areas = [roc_auc_score(y == k, scores[:, k]) for k in range(3)]
    assert one_vs_rest_auc(scores, y) == pytest.approx(np.mean(areas))


def test_weights_count_a_subject_drawn_twice_twice():
    rng = np.random.default_rng(0)
    y, scores = rng.integers(2, size=20), rng.normal(size=(20, 2))
    weight = rng.integers(3, size=20)
    drawn = np.repeat(np.arange(20), weight)
    for mark in (balanced_accuracy, one_vs_rest_auc):
        assert mark(scores, y, weight[None])[0] == pytest.approx(
            float(mark(scores[drawn], y[drawn]))
        )


def test_p_of_labels_that_mean_nothing_is_uniform():
    rng = np.random.default_rng(0)
    found = [
        probe(
            rng.normal(size=(24, 5)),
            ["A", "B"] * 12,
            names(24),
            rng,
            permutations=39,
        ).auc.p
        for _ in range(60)
    ]
    assert 0.35 < np.mean(found) < 0.65
    assert np.mean(np.array(found) <= 0.1) < 0.25


def test_a_person_is_never_on_both_sides_of_a_fold():
    rng = np.random.default_rng(0)
    who, y = [str(i // 3) for i in range(60)], np.arange(60) % 3
    for train, test in grouped_folds(y, who, rng):
        assert not {who[i] for i in train} & {who[i] for i in test}


def test_a_memorised_person_is_not_mistaken_for_a_site():
    """Ten scans a person, the person's own mark in z, sites assigned by coin."""
    rng = np.random.default_rng(3)
    person = np.repeat(rng.normal(size=(12, 30)), 10, axis=0)
    z = person + 0.01 * rng.normal(size=person.shape)
    who = [str(i // 10) for i in range(120)]
    site = ["A" if int(w) % 2 else "B" for w in who]
    found = probe(z, site, who, rng, permutations=99)
    assert found.balanced_accuracy.p > 0.05
    assert found.balanced_accuracy.n == 12


def test_permutation_keeps_travelers_sites_and_persons_whole():
    rng = np.random.default_rng(0)
    who = ["t", "t", "t", "a", "a", "b", "b", "c", "c"]
    y = np.array([0, 1, 2, 0, 0, 1, 1, 2, 2])
    seen = set()
    for _ in range(20):
        shuffled = permute_labels(y, who, rng)
        seen |= {(tuple(shuffled[:3]), tuple(shuffled[3:]))}
        assert sorted(shuffled[:3]) == [0, 1, 2]
        assert all(shuffled[i] == shuffled[i + 1] for i in (3, 5, 7))
    assert len({traveler for traveler, _ in seen}) == 6
    assert len({settled for _, settled in seen}) == 6


def test_differences_far_below_the_posterior_spread_show_in_the_mean_only():
    rng = np.random.default_rng(0)
    mean = rng.normal(0, 0.001, size=(60, 4))
    mean[30:] += 0.01
    std, site = np.ones((60, 4)), ["A"] * 30 + ["B"] * 30
    for view, low, high in (("mean", 0.95, 1.0), ("sample", 0.3, 0.7)):
        z = posterior_view(mean, std, view, rng)
        area = probe(z, site, names(60), rng, permutations=5).auc.value
        assert low <= area <= high


def test_whitening_weighs_a_dimension_by_what_it_tells():
    rng = np.random.default_rng(0)
    mean = np.stack([rng.normal(size=80), np.repeat([0, 0.02], 40)], axis=1)
    std = np.array([[0.1, 1.0]] * 80)
    site = ["A"] * 40 + ["B"] * 40
    z = posterior_view(mean, std, "whitened", rng)
    options = {"kind": "rbf", "permutations": 5}
    plain = probe(mean, site, names(80), rng, **options).auc.value
    whitened = probe(z, site, names(80), rng, standardise=False, **options).auc.value
    assert plain > 0.95
    assert whitened < 0.7


def test_a_site_with_one_subject_cannot_be_probed():
    with pytest.raises(ValueError, match="rarest with 1 subject"):
        probe(np.eye(3), ["A", "A", "B"], names(3), np.random.default_rng(0))
