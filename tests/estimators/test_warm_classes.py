"""A warm start asks `fit` for the same classes; a step of `partial_fit` may lack some."""

import numpy as np
import pytest

from fastmlp import MLPClassifier, find_learning_rate

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(60, 4)), np.arange(60) % 3


@pytest.mark.parametrize("warm_start", [False, True])
def test_a_step_may_lack_classes(warm_start):
    model = MLPClassifier((5,), warm_start=warm_start, random_state=0)
    model.partial_fit(X, Y, classes=[0, 1, 2]).partial_fit(X[:2], Y[:2])
    assert model.n_outputs_ == 3
    with pytest.raises(ValueError, match="classes not in"):
        model.partial_fit(X[:2], [0, 7])


def test_a_warm_start_of_fit_needs_all_of_them():
    model = MLPClassifier((5,), warm_start=True, max_iter=2, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same"):
        model.fit(X[:2], Y[:2])


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_the_range_test_takes_batches_of_any_size(batch_size):
    plain, warm = (
        find_learning_rate(
            MLPClassifier((5,), warm_start=w, batch_size=batch_size, random_state=0), X, Y
        )
        for w in (False, True)
    )
    np.testing.assert_array_equal(plain.losses, warm.losses)
