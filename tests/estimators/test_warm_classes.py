"""A warm start asks `fit` for the same classes; a step of `partial_fit` may lack some."""

import numpy as np
import pytest
from samples import SMALL, classes, labels

from fastmlp import MLPClassifier, Perceptron, find_learning_rate

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


@pytest.mark.parametrize(("before", "after"), [("hinge", "log_loss"), ("log_loss", "hinge")])
def test_another_loss_takes_its_own_outputs(before, after):
    x, y = classes()
    model = MLPClassifier(**SMALL, loss=before, warm_start=True).fit(x, y)
    model.set_params(loss=after).fit(x, y)
    assert model.out_activation_ == {"hinge": "identity", "log_loss": "softmax"}[after]
    assert model.score(x, y) > 0.8


def test_labels_that_were_renamed_are_known():
    x, y = classes(k=2)
    model = MLPClassifier(**SMALL).fit(x, y)
    model.classes_ = np.array(["no", "yes"])
    names = model.predict(x)
    assert set(names) == {"no", "yes"}
    model.partial_fit(x, names)
    assert list(model.classes_) == ["no", "yes"]


def test_announced_classes_go_with_several_labels_too():
    x, y = labels()
    with pytest.raises(ValueError, match="not the same as on last call"):
        Perceptron().partial_fit(x, y, classes=np.arange(y.shape[1] + 1))


def test_a_failed_call_leaves_the_weights_with_their_network():
    def fail(end):
        raise ZeroDivisionError

    x, y = classes()
    model = MLPClassifier(**SMALL).fit(x, y)
    before, weights = model.predict_proba(x), model.coefs_[0]
    with pytest.raises(ZeroDivisionError):
        model.set_params(callbacks=fail).partial_fit(x, y)
    assert model.coefs_[0] is weights
    assert model._model.params[0][0] is weights  # otherwise each prediction would pack them anew
    np.testing.assert_array_equal(model.predict_proba(x), before)
