"""Ridge of many targets: the penalty that scikit-learn's refits find."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

from medvae.evaluation.ridge import ALPHAS, ridge


def scaled(x):
    return (x - x.mean(0)) / np.sqrt(
        np.mean((x - x.mean(0)) ** 2) * x.shape[1] / len(x)
    )


@pytest.mark.parametrize("twins", [1, 3])
@pytest.mark.parametrize("strength", [0.0, 1.0, 10.0])
def test_penalty_is_the_one_that_leaving_people_out_finds(twins, strength):
    rng = np.random.default_rng(0)
    person = np.repeat(rng.normal(size=(20, 40)), twins, axis=0)
    x = person + 0.1 * rng.normal(size=person.shape)
    y = 40 + strength * x[:, 0] + np.repeat(rng.normal(size=20), twins)
    who = [str(i // twins) for i in range(len(x))]
    search = GridSearchCV(
        Ridge(),
        {"alpha": ALPHAS},
        cv=LeaveOneGroupOut(),
        scoring="neg_mean_squared_error",
    ).fit(scaled(x), y, groups=who)
    theirs = search.predict(scaled(x))
    np.testing.assert_allclose(ridge(x, y, x, who), theirs, rtol=1e-6)


def test_a_twin_in_training_would_choose_a_penalty_for_noise():
    rng = np.random.default_rng(0)
    errors = {True: [], False: []}
    for _ in range(20):
        person, age = rng.normal(size=(30, 60)), rng.uniform(20, 80, 30)
        x = np.repeat(person, 2, axis=0) + 0.1 * rng.normal(size=(60, 60))
        new, asked = rng.normal(size=(40, 60)), rng.uniform(20, 80, 40)
        for grouped in (True, False):
            who = [str(i // 2) for i in range(60)] if grouped else None
            guess = ridge(x, np.repeat(age, 2), new, who)
            errors[grouped].append(np.abs(guess - asked).mean())
    assert np.mean(errors[True]) < np.mean(errors[False]) - 2


def test_targets_are_predicted_as_each_would_be_alone():
    rng = np.random.default_rng(0)
    x, y, new = (rng.normal(size=shape) for shape in ((15, 6), (15, 4), (9, 6)))
    y[:, 0] += 5 * x[:, 0]
    together = ridge(x, y, new)
    alone = np.stack([ridge(x, own, new) for own in y.T], axis=1)
    np.testing.assert_allclose(together, alone)


def test_a_constant_feature_predicts_the_mean():
    assert ridge(np.ones((4, 2)), [20, 30, 40, 50], np.ones((2, 2))).tolist() == [
        35,
        35,
    ]


def test_subjects_of_other_rows_are_refused():
    with pytest.raises(ValueError, match="one subject a row needed, got 2 for 3 rows"):
        ridge(np.eye(3), [1, 2, 3], np.eye(3), ["a", "b"])
