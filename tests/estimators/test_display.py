"""The pictures of estimators: what is on them, and that nothing covers anything."""

import itertools
import sys

import numpy as np
import pytest
from samples import SMALL, classes, numbers
from sklearn import neural_network

from fastmlp import (
    Dense,
    Dropout,
    LossCurveDisplay,
    MLPClassifier,
    MLPRegressor,
    Network,
    NetworkDisplay,
    Perceptron,
    WeightsDisplay,
    from_sklearn,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def classifier():
    x, y = classes(d=16)
    return MLPClassifier(**SMALL, early_stopping=True).fit(x, y)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# The curve of the loss


def test_loss_curve(classifier):
    display = LossCurveDisplay.from_estimator(classifier)
    display.figure_.canvas.draw()
    np.testing.assert_array_equal(display.line_.get_ydata(), classifier.loss_curve_)
    epochs = np.arange(1, len(classifier.loss_curve_) + 1)
    np.testing.assert_array_equal(display.line_.get_xdata(), epochs)
    losses = classifier.history_["val_loss"]
    np.testing.assert_array_equal(display.validation_line_.get_ydata(), losses)
    assert display.validation_line_.axes is display.ax_
    np.testing.assert_array_equal(display.score_line_.get_ydata(), classifier.validation_scores_)
    assert display.score_line_.axes is display.score_ax_ is not display.ax_
    assert display.score_ax_.get_ylabel() == "validation accuracy"
    assert set(display.best_line_.get_xdata()) == {classifier.best_epoch_}
    assert len(legend(display.ax_)) == 4


def test_legend_is_beside_the_curves(classifier):
    display = LossCurveDisplay.from_estimator(classifier)
    display.figure_.canvas.draw()
    box = display.ax_.get_legend().get_window_extent()
    assert box.y0 >= display.ax_.get_window_extent().y1 - 1
    assert 0 <= box.x0 < box.x1 <= display.figure_.bbox.x1


def test_without_validation(classifier):
    display = LossCurveDisplay.from_estimator(classifier, validation=False)
    assert display.score_ax_ is display.validation_line_ is display.best_line_ is None
    assert display.ax_.get_legend() is None
    plain = LossCurveDisplay.from_estimator(MLPRegressor(**SMALL).fit(*numbers()))
    assert plain.score_ax_ is plain.validation_line_ is None
    assert plain.ax_.get_ylabel() == "training loss"


def test_the_loss_as_score_is_drawn_once():
    model = MLPRegressor(**SMALL, early_stopping=True, scoring="loss").fit(*numbers())
    display = LossCurveDisplay.from_estimator(model)
    assert display.score_ax_ is None
    np.testing.assert_array_equal(
        display.validation_line_.get_ydata(), -np.array(model.validation_scores_)
    )


@pytest.mark.parametrize(
    ("scoring", "name"),
    [
        (None, "validation R²"),
        ("neg_max_error", "validation neg_max_error"),
        (lambda model, x, y: 0.5, "validation score"),
    ],
)
def test_name_of_the_score(scoring, name):
    model = MLPRegressor(**SMALL, early_stopping=True, scoring=scoring).fit(*numbers())
    assert LossCurveDisplay.from_estimator(model).score_ax_.get_ylabel() == name


def test_one_epoch_can_be_seen():
    model = MLPRegressor(max_iter=1).fit(*numbers())
    assert LossCurveDisplay.from_estimator(model).line_.get_marker() == "o"


def test_scikit_learns_own():
    theirs = neural_network.MLPRegressor(**SMALL, early_stopping=True).fit(*numbers())
    display = LossCurveDisplay.from_estimator(theirs)
    np.testing.assert_array_equal(display.line_.get_ydata(), theirs.loss_curve_)
    np.testing.assert_array_equal(display.score_line_.get_ydata(), theirs.validation_scores_)
    assert display.validation_line_ is None  # they don't know it
    assert LossCurveDisplay.from_estimator(from_sklearn(theirs)).validation_line_ is None
    WeightsDisplay.from_estimator(theirs, image_shape=(2, 3))


# Weights as images


def test_weights(classifier):
    display = WeightsDisplay.from_estimator(classifier, n_units=5)
    display.figure_.canvas.draw()
    images = classifier.coefs_[0].T[:5].reshape(5, 4, 4)
    np.testing.assert_array_equal(display.images, images)
    mosaic = np.ma.filled(display.image_.get_array(), np.nan)
    assert np.isfinite(mosaic).sum() == images.size
    np.testing.assert_array_equal(mosaic[:4, 5:9], images[1])
    low, high = display.image_.get_clim()
    assert high == -low == abs(images).max()


def test_layers_and_shapes(classifier):
    last = WeightsDisplay.from_estimator(classifier, layer=-1, image_shape=(3, 4), n_units=None)
    assert last.images.shape == (3, 3, 4)
    np.testing.assert_array_equal(last.images[2].ravel(), classifier.coefs_[1][:, 2])
    assert WeightsDisplay.from_estimator(classifier, n_units=99).images.shape == (12, 4, 4)
    network = Network([Dense(2, "prelu")], 9, random_state=0)
    np.testing.assert_array_equal(
        WeightsDisplay.from_estimator(network).images[1].ravel(), network.params[0][0][:, 1]
    )
    perceptron = Perceptron(max_iter=2).fit(*classes(d=4))
    assert WeightsDisplay.from_estimator(perceptron).images.shape == (3, 2, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": 2}, "one of 2 layers"),
        ({"layer": -3}, "one of 2 layers"),
        ({"layer": 1}, "12 inputs don't fill"),
        ({"image_shape": (3, 5)}, "16 inputs don't fill"),
        ({"image_shape": (-4, -4)}, "don't fill"),
        ({"image_shape": (16,)}, "don't fill"),
        ({"n_units": 0}, "n_units must be"),
    ],
)
def test_what_makes_no_image(classifier, settings, message):
    with pytest.raises(ValueError, match=message):
        WeightsDisplay.from_estimator(classifier, **settings)


# Diagrams


NETWORKS = {
    "smallest": Network([Dense(1)], 1),
    "dropout": Network([Dense(3, "relu"), Dropout(0.5), Dense(2, "softmax")], 4),
    "deep": Network([*[Dense(128, "hard_sigmoid")] * 6, Dense(1)], 784),
    "mixed": Network([Dense(64, [("relu", 32), ("leaky_relu(0.25)", 32)]), Dense(9)], 3),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("given", [False, True])
def test_texts_of_a_diagram_are_apart(name, given):
    ax = plt.subplots(2, 2, layout="constrained")[1][1, 0] if given else None
    display = NetworkDisplay.from_estimator(NETWORKS[name], ax=ax)
    display.figure_.canvas.draw()
    below = [text for text in display.ax_.texts if "\n" in text.get_text()]
    boxes = [text.get_window_extent() for text in below]
    assert len(boxes) == len(NETWORKS[name].params) + 1
    for a, b in itertools.combinations(boxes, 2):
        assert not a.overlaps(b)
    units = [patch.get_window_extent() for patch in display.ax_.patches]
    assert max(box.y1 for box in boxes) < min(unit.y0 for unit in units)
    assert min(box.y0 for box in boxes) >= display.ax_.get_window_extent().y0 - 1


def test_what_a_diagram_says(classifier):
    display = NetworkDisplay.from_estimator(NETWORKS["dropout"])
    assert texts(display.ax_) == [
        "inputs\n4",
        "hidden 1\n3\nrelu\ndropout 0.5",
        "outputs\n2\nsoftmax",
    ]
    assert len(display.ax_.patches) == 4 + 3 + 2
    assert "outputs\n3\nsoftmax" in texts(NetworkDisplay.from_estimator(classifier).ax_)
    mixed = texts(NetworkDisplay.from_estimator(NETWORKS["mixed"]).ax_)
    assert "hidden 1\n64\n32 relu\n32 leaky_relu(0.25)" in mixed
    assert "⋮" in mixed


# All displays


@pytest.mark.parametrize("display", [LossCurveDisplay, WeightsDisplay, NetworkDisplay])
def test_axes(display, classifier):
    figure, (first, second) = plt.subplots(1, 2)
    drawn = display.from_estimator(classifier, ax=first)
    assert drawn.ax_ is first
    assert drawn.figure_ is figure
    assert drawn.plot(second) is drawn
    assert drawn.ax_ is second
    assert drawn.plot().figure_ is not figure


@pytest.mark.parametrize("display", [LossCurveDisplay, WeightsDisplay, NetworkDisplay])
def test_errors(display, classifier, monkeypatch):
    with pytest.raises(ValueError, match="not fitted"):
        display.from_estimator(MLPClassifier())
    if display is not WeightsDisplay:
        with pytest.raises(TypeError, match="estimator must"):
            display.from_estimator(Perceptron(max_iter=2).fit(*classes()))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=f"{display.__name__} needs matplotlib"):
        display.from_estimator(classifier)
