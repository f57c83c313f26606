"""The neuron of McCulloch and Pitts: truth tables, its hyperplane, and the XOR that it can't do."""

from itertools import product

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer

from fastmlp import McCullochPitts

PAIRS = np.array(list(product((0, 1), repeat=2)))
XOR = [0, 1, 1, 0]


@pytest.mark.parametrize("n_inputs", [1, 2, 3, 5])
@pytest.mark.parametrize(("gate", "truth"), [("and", np.all), ("or", np.any)])
def test_truth_table(gate, truth, n_inputs):
    inputs = np.array(list(product((0, 1), repeat=n_inputs)))
    neuron = McCullochPitts.logic(gate, n_inputs)
    np.testing.assert_array_equal(neuron.predict(inputs), truth(inputs, axis=1))


def test_two_inputs_unless_told():
    np.testing.assert_array_equal(McCullochPitts.logic("and").predict(PAIRS), [0, 0, 0, 1])
    np.testing.assert_array_equal(McCullochPitts.logic("or").predict(PAIRS), [0, 1, 1, 1])


@pytest.mark.parametrize("n_inputs", [None, 1])
def test_not(n_inputs):
    neuron = McCullochPitts.logic("not", n_inputs)
    np.testing.assert_array_equal(neuron.predict([[0], [1]]), [1, 0])


def test_fires_where_the_sum_reaches_the_threshold():
    neuron = McCullochPitts([2.0, -1.0], threshold=1.5)
    X = [[0.75, 0.0], [0.7, 0.0], [2.0, 2.5], [2.0, 2.6]]
    np.testing.assert_allclose(neuron.decision_function(X), [0, -0.1, 0, -0.1], atol=1e-15)
    np.testing.assert_array_equal(neuron.predict(X), [1, 0, 1, 0])


def test_hyperplane_parts_the_space(rng):
    weights, threshold = rng.normal(size=3), 0.3
    normal = weights / np.linalg.norm(weights)
    on_the_plane = threshold * weights / (weights @ weights)
    neuron = McCullochPitts(weights, threshold)
    distances = rng.normal(size=50)
    X = on_the_plane + distances[:, None] * normal
    np.testing.assert_array_equal(neuron.predict(X), distances > 0)
    np.testing.assert_allclose(
        neuron.decision_function(X) / np.linalg.norm(weights), distances, atol=1e-12
    )


def test_no_neuron_computes_xor_but_two_layers_do():
    """Every truth table that weights and thresholds of a grid can make: 14 of the 16."""
    grid = np.arange(-3, 3.5, 0.5)
    tables = {
        tuple(McCullochPitts([w1, w2], threshold).predict(PAIRS).tolist())
        for w1, w2, threshold in product(grid[::2], grid[::2], grid)
    }
    missing = set(product((0, 1), repeat=4)) - tables
    assert missing == {tuple(XOR), tuple(1 - np.array(XOR))}

    hidden = np.column_stack(
        [McCullochPitts.logic("or").predict(PAIRS), McCullochPitts.logic("and").predict(PAIRS)]
    )
    np.testing.assert_array_equal(McCullochPitts([1, -1], 1).predict(hidden), XOR)


@pytest.mark.parametrize(
    ("weights", "threshold", "message"),
    [
        (1.0, 0.0, "'weights' parameter"),
        ([[1.0, 2.0]], 0.0, r"weights must have shape \(n_inputs,\); got \(1, 2\)"),
        ([1.0, np.nan], 0.0, "weights contains NaN"),
        ([], 0.0, "minimum of 1 is required"),
        ([1.0, 1.0], np.nan, "'threshold' parameter"),
        ([1.0, 1.0], "high", "'threshold' parameter"),
        ([1.0, 1.0, 1.0], 0.0, "X has 2 features, but McCullochPitts has 3 weights"),
    ],
)
def test_wrong_parameters(weights, threshold, message):
    with pytest.raises(ValueError, match=message):
        McCullochPitts(weights, threshold).predict(PAIRS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("xor",), "gate must be 'and', 'or' or 'not'; got 'xor'"),
        (("not", 2), "'not' has one input; got n_inputs=2"),
        (("and", 0), "n_inputs must be a positive integer; got 0"),
        (("or", 1.5), "n_inputs must be a positive integer; got 1.5"),
    ],
)
def test_wrong_gates(arguments, message):
    with pytest.raises(ValueError, match=message):
        McCullochPitts.logic(*arguments)


def test_goes_with_scikit_learn():
    neuron = McCullochPitts.logic("and")
    copy = clone(neuron).set_params(threshold=1.0)
    assert copy.get_params() == {"weights": [1.0, 1.0], "threshold": 1.0}
    assert copy.score(PAIRS, [0, 1, 1, 1]) == 1.0
    assert neuron.fit(PAIRS) is neuron
    pipeline = make_pipeline(Binarizer(threshold=0.5), neuron)
    X, y = np.tile(PAIRS, (5, 1)) * 0.9, np.tile([0, 0, 0, 1], 5)
    assert cross_val_score(pipeline, X, y).mean() == 1.0


def test_decision_boundary_display():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from sklearn.inspection import DecisionBoundaryDisplay

    neuron = McCullochPitts.logic("or")
    for method in ("auto", "predict", "decision_function"):
        display = DecisionBoundaryDisplay.from_estimator(
            neuron, PAIRS, response_method=method, grid_resolution=10
        )
        assert display.response.shape == (10, 10)
        matplotlib.pyplot.close("all")
