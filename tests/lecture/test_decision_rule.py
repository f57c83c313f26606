"""The decision rule: a weight vector is a hyperplane, and each class is one side of it."""

import numpy as np
import pytest
from samples import classes

from fastmlp import McCullochPitts, MLPClassifier, Perceptron

pytestmark = [
    pytest.mark.usefixtures("use_target"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

BLOBS = np.array([[-2.0, -1.0], [-1.5, -2.0], [-2.5, -1.5], [2.0, 1.0], [1.0, 2.0], [2.5, 1.5]])
SIDES = np.array([-1, -1, -1, 1, 1, 1])


def hyperplane(model):
    """Weights w0 + w @ x of a model with one output, as (w0, w)."""
    if isinstance(model, McCullochPitts):
        return -model.threshold, np.asarray(model.weights)
    if isinstance(model, Perceptron):
        return model.intercept_[0], model.coef_[0]
    return model.intercepts_[0][0].astype(float), model.coefs_[0][:, 0].astype(float)


MODELS = {
    "neuron": McCullochPitts([1.0, 0.5], 0.237),
    "perceptron": Perceptron(random_state=0),
    "mlp": MLPClassifier((), dtype="float64", learning_rate_init=0.05, random_state=0),
}


@pytest.fixture(params=list(MODELS))
def model(request):
    """A model of one hyperplane, fitted anew on the target under test."""
    return MODELS[request.param].fit(BLOBS, SIDES)


def test_the_sign_of_the_linear_combination_decides(model, rng):
    bias, weights = hyperplane(model)
    x = rng.uniform(-3, 3, size=(500, 2))
    above = bias + x @ weights > 0
    np.testing.assert_array_equal(model.predict(x) == model.classes_[1], above)
    assert 0 < above.sum() < len(x)


def test_one_side_of_the_hyperplane_is_each_class(model, rng):
    """Points that are pushed off the hyperplane along its normal, by a little, on both sides."""
    bias, weights = hyperplane(model)
    normal = weights / np.linalg.norm(weights)
    along = np.array([-normal[1], normal[0]])
    foot = -bias * weights / (weights @ weights)
    points = foot + rng.uniform(-2, 2, size=(40, 1)) * along
    for step, label in [(1e-6, model.classes_[1]), (-1e-6, model.classes_[0])]:
        assert (model.predict(points + step * normal) == label).all()


def test_the_separable_case_is_separated(model):
    np.testing.assert_array_equal(np.where(model.predict(BLOBS) == model.classes_[1], 1, -1), SIDES)


def test_the_picture_shows_the_rule(model):
    """Every point of the picture's grid has the class of its side."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from sklearn.inspection import DecisionBoundaryDisplay

    display = DecisionBoundaryDisplay.from_estimator(
        model, BLOBS, response_method="predict", grid_resolution=25
    )
    bias, weights = hyperplane(model)
    above = bias + weights[0] * display.xx0 + weights[1] * display.xx1 > 0
    assert display.response.shape == (25, 25)
    np.testing.assert_array_equal(display.response == display.response.max(), above)
    assert 0 < above.sum() < above.size
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("hidden", [(), (8,)])
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_the_picture_of_several_classes(hidden, method):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from sklearn.inspection import DecisionBoundaryDisplay

    x, y = classes(d=2)
    model = MLPClassifier(hidden, learning_rate_init=0.05, max_iter=50, random_state=0).fit(x, y)
    # The picture of a probability is that of one class; scikit-learn >= 1.7 draws several, too.
    one = {"class_of_interest": model.classes_[1]} if method == "predict_proba" else {}
    display = DecisionBoundaryDisplay.from_estimator(
        model, x, response_method=method, grid_resolution=20, **one
    )
    grid = np.column_stack([display.xx0.ravel(), display.xx1.ravel()])
    expected = getattr(model, method)(grid)
    expected = expected[:, 1] if one else np.searchsorted(model.classes_, expected)
    np.testing.assert_array_equal(display.response.ravel(), expected)
    matplotlib.pyplot.close("all")
