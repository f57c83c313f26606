"""The perceptron with several outputs: z_i = w_0i + sum_j x_j w_ji, a dense layer."""

import numpy as np
import pytest
from loops import each
from reference import ACTIVATIONS

from fastmlp import Dense, Network, Perceptron

pytestmark = pytest.mark.usefixtures("use_target")

TOLERANCE = {"float32": 1e-5, "float64": 1e-13}


def written_out(x, w, b):
    """The sum of the slide, one product at a time."""
    z = np.zeros((len(x), len(b)))
    for row in range(len(x)):
        for i in range(len(b)):
            z[row, i] = b[i]
            for j in range(w.shape[0]):
                z[row, i] += x[row, j] * w[j, i]
    return z


@each("activation", ["identity", "logistic", "softmax"])
@each("outputs", [1, 2, 3, 17])
def test_dense_layer_is_the_sum(activation, outputs, dtype, rng):
    w, b = rng.normal(size=(5, outputs)), rng.normal(size=outputs)
    x = rng.normal(size=(9, 5))
    net = Network([Dense(outputs, activation)], 5, dtype=dtype)
    net.params = [(w, b)]
    (z,), (y,) = net.forward(x)
    expected = written_out(x, w, b)
    np.testing.assert_allclose(z, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    np.testing.assert_allclose(
        y, ACTIVATIONS[activation].value(expected), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype]
    )


def test_every_output_is_a_neuron_of_its_own(dtype, rng):
    """Column i of the weights alone gives output i."""
    w, b, x = rng.normal(size=(6, 4)), rng.normal(size=4), rng.normal(size=(20, 6))
    together = Network([Dense(4, "tanh")], 6, dtype=dtype)
    together.params = [(w, b)]
    alone = Network([Dense(1, "tanh")], 6, dtype=dtype)
    for i in range(4):
        alone.params = [(w[:, [i]], b[[i]])]
        np.testing.assert_allclose(
            together(x)[:, i], alone(x)[:, 0], rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype]
        )


def test_inputs_are_densely_connected_to_outputs(rng):
    """A change of any input moves every output, by its weight."""
    w, b, x = rng.uniform(0.5, 1, size=(4, 3)), rng.normal(size=3), rng.normal(size=(1, 4))
    net = Network([Dense(3)], 4, dtype="float64")
    net.params = [(w, b)]
    for j in range(4):
        moved = x + np.eye(4)[j]
        np.testing.assert_allclose((net(moved) - net(x))[0], w[j], rtol=1e-12)


def test_perceptron_of_several_outputs_decides_by_the_largest(rng):
    centers = np.array([[0.0, 4.0], [4.0, -3.0], [-4.0, -3.0]])
    labels = rng.integers(0, 3, size=90)
    x = centers[labels] + rng.uniform(-0.8, 0.8, size=(90, 2))
    model = Perceptron(random_state=0).fit(x, labels)
    z = written_out(x, model.coef_.T, model.intercept_)
    np.testing.assert_allclose(model.decision_function(x), z, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(model.predict(x), z.argmax(axis=1))
    assert model.converged_
    np.testing.assert_array_equal(model.predict(x), labels)
