"""Value and gradient of every operation, against NumPy and against differences."""

import itertools

import numpy as np
import pytest
from builders import targets_for
from loops import each
from numeric import assert_norm_close, gradient
from reference import ACTIVATIONS, LOSS_VARIANTS, LOSSES, RowActivation

from fastmlp import _core, graph

pytestmark = pytest.mark.usefixtures("use_target")

SHAPES = [(), (1,), (5,), (1, 1), (3, 1), (1, 5), (3, 5)]
PAIRS = list(itertools.product(SHAPES, SHAPES))
BINARY = {
    "add": (lambda x, y: x + y, np.add),
    "subtract": (lambda x, y: x - y, np.subtract),
    "multiply": (lambda x, y: x * y, np.multiply),
    "divide": (lambda x, y: x / y, np.divide),
    "power": (lambda x, y: x**y, np.power),
    "prelu": (lambda x, y: graph.prelu(x - 2, y), lambda x, y: np.where(x > 2, x - 2, y * (x - 2))),
}
UNARY = {
    "negate": (lambda x: -x, np.negative),
    "square": (graph.square, np.square),
    "exp": (graph.exp, np.exp),
    "log": (graph.log, np.log),
}
PRODUCTS = [
    ((3, 4), (4, 5)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((4,), (4,)),
    ((1, 1), (1, 1)),
    ((7, 65), (65, 70)),
    ((1, 3), (3, 1)),
    ((50, 2), (2, 129)),
]
REDUCED = [
    *[(shape, None) for shape in [(), (5,), (3, 5), (20, 33)]],
    *[((5,), axis) for axis in (0, -1)],
    *[((3, 5), axis) for axis in (0, 1, -1, -2)],
    *[((20, 33), axis) for axis in (0, 1)],
]
MATRICES = [(1,), (6,), (1, 1), (4, 3), (9, 18)]


def values(rng, *shapes):
    """Positive numbers, away from 0 and 1."""
    return [rng.uniform(1.2, 2.5, shape) for shape in shapes]


def check(make, numpy, arrays, rng, tolerance=1e-9):
    """Value of make(*nodes) against NumPy's; gradients of a weighted sum against differences."""
    variables = [graph.variable(array) for array in arrays]
    f = make(*variables)
    f.forward()
    expected = numpy(*arrays)
    assert np.shape(f.value) == f.shape == np.shape(expected)
    np.testing.assert_allclose(f.value, expected, rtol=1e-13, atol=1e-14)
    weight = rng.normal(size=np.shape(expected))
    f.backward(weight)
    for i, node in enumerate(variables):

        def objective(x, i=i):
            return float((weight * numpy(*arrays[:i], x, *arrays[i + 1 :])).sum())

        assert_norm_close(node.grad, gradient(objective, arrays[i]), tolerance, node.operation)


def test_every_operation_is_tested_here():
    tested = {*BINARY, *UNARY, "matmul", "dense", "sum", "mean", "dropout", "activation", "loss"}
    assert {row["name"] for row in _core.graph.ops()} - {"variable", "constant"} == tested


@each("name", list(BINARY))
@each(("x", "y"), PAIRS)
def test_binary(name, x, y, rng):
    check(*BINARY[name], values(rng, x, y), rng)


@pytest.mark.parametrize("name", list(BINARY))
@pytest.mark.parametrize(("x", "y"), [((40, 70), (70,)), ((40, 1), (40, 70)), ((), (40, 70))])
def test_binary_float32(name, x, y, rng):
    """Many columns and rows, so that vectors and sums are long."""
    make, numpy = BINARY[name]
    arrays = values(rng, x, y)
    found, exact = [], []
    for dtype, into in (("float32", found), ("float64", exact)):
        variables = [graph.variable(array, dtype=dtype) for array in arrays]
        f = make(*variables)
        f.forward().backward(np.ones(f.shape))
        into += [f.value, *(node.grad for node in variables)]
    np.testing.assert_allclose(exact[0], numpy(*arrays), rtol=1e-13)
    for actual, expected in zip(found, exact, strict=True):
        assert_norm_close(actual, expected, 3e-6)


@pytest.mark.parametrize("name", list(UNARY))
@pytest.mark.parametrize("shape", SHAPES)
def test_unary(name, shape, rng):
    check(*UNARY[name], values(rng, shape), rng)


@pytest.mark.parametrize(("x", "w"), PRODUCTS)
def test_matmul(x, w, rng):
    arrays = [rng.normal(size=x), rng.normal(size=w)]
    check(graph.matmul, np.matmul, arrays, rng)


def test_matmul_of_a_node_with_itself(rng):
    check(lambda x: x @ x, lambda x: x @ x, [rng.normal(size=(5, 5))], rng)


@pytest.mark.parametrize(("x", "w"), [p for p in PRODUCTS if len(p[1]) == 2])
def test_dense(x, w, rng):
    arrays = [rng.normal(size=x), rng.normal(size=w), rng.normal(size=w[1])]
    check(graph.dense, lambda x, w, b: x @ w + b, arrays, rng)


@each("keepdims", [False, True])
@each(("shape", "axis"), REDUCED)
@each("name", ["sum", "mean"])
def test_reductions(name, shape, axis, keepdims, rng):
    def reduced(module):
        return lambda x: getattr(module, name)(x, axis, keepdims=keepdims)

    check(reduced(graph), reduced(np), [rng.normal(size=shape)], rng)


@each("name", [name for name in ACTIVATIONS if name != "prelu"])
@each("shape", MATRICES)
def test_activations(name, shape, rng):
    reference = ACTIVATIONS[name]
    z = rng.normal(size=shape)
    z += 0.05 * np.sign(z)  # away from the kink of relu

    def value(array):
        return reference.value(np.atleast_2d(array)).reshape(array.shape)

    check(getattr(graph, name), value, [z], rng)


@each("logits", [False, True])
@each("name", list(LOSSES))
@each("shape", MATRICES)
def test_losses(name, shape, logits, rng):
    reference = LOSSES[name]
    rows, columns = np.atleast_2d(np.empty(shape)).shape
    t = targets_for(name, rng, rows, columns * reference.per_target).reshape(shape)
    y = rng.uniform(0.2, 0.8, shape) if reference.probability and not logits else t + 1
    y = y + rng.uniform(0.01, 0.1, shape)  # away from the kinks at 1, of huber too
    if reference.per_target == 2:
        y = np.concatenate([y, rng.normal(size=shape)], axis=-1)
    y = -y if name == "nll" and not logits else y  # logarithms of probabilities
    value = reference.logit_value if logits else reference.value

    def mean(y):
        return value(np.atleast_2d(y), np.atleast_2d(t)).mean()

    check(lambda y: getattr(graph, name)(y, t, logits=logits), mean, [y], rng)


@pytest.mark.parametrize(("name", "parameter"), list(LOSS_VARIANTS))
def test_loss_parameters(name, parameter, rng):
    reference = LOSS_VARIANTS[name, parameter]
    t, y = reference.targets(rng, (4, 3)), rng.uniform(0.2, 0.8, (4, 3))
    key = next(row for row in _core.catalog()["losses"] if row["name"] == name)["parameter"]["name"]
    f = getattr(graph, name)(y, t, **{key: parameter}).forward()
    assert f.value == pytest.approx(reference.value(y, t).mean(), rel=1e-12)
    with pytest.raises(TypeError, match=f"{name} takes '{key}'.*'slant'"):
        getattr(graph, name)(y, t, slant=1.0)


def test_activation_parameters(rng):
    z = rng.normal(size=(4, 3))
    f = graph.leaky_relu(z, slope=0.3).forward()
    np.testing.assert_array_equal(f.value, np.where(z > 0, z, 0.3 * z))
    with pytest.raises(ValueError, match=r"leaky_relu\(slope=-1\): slope must be"):
        graph.leaky_relu(z, slope=-1)


@pytest.mark.parametrize("shape", [(), (40,), (30, 41), (8, 16)])
def test_dropout(shape, dtype):
    x = graph.variable(np.ones(shape, dtype))
    y = graph.dropout(x, 0.25, seed=3)
    y.forward().backward(np.ones(shape))
    first = np.array(y.value)
    np.testing.assert_allclose(first[first != 0], 4 / 3, rtol=1e-7)
    np.testing.assert_array_equal(x.grad, first)
    y.forward(training=False).backward(np.ones(shape))
    np.testing.assert_array_equal(y.value, np.ones(shape))
    np.testing.assert_array_equal(x.grad, np.ones(shape))
    if np.size(first) > 30:
        assert (y.forward().value != first).any(), "each pass draws a new mask"
        again = graph.dropout(x, 0.25, seed=3)
        np.testing.assert_array_equal(again.forward().value, first)


def test_dropout_drops_its_rate():
    x = graph.variable(np.ones((200, 300)))
    y = graph.dropout(x, 0.3, seed=0)
    # Five standard deviations of the share of 60,000 draws are 0.0094.
    assert (y.forward().value == 0).mean() == pytest.approx(0.3, abs=0.01)


def test_row_activations_take_a_vector_as_a_row(rng):
    z = rng.normal(size=5)
    assert isinstance(ACTIVATIONS["softmax"], RowActivation)
    assert graph.softmax(graph.variable(z)).forward().value.sum() == pytest.approx(1)


@pytest.mark.parametrize("labels", [np.array([2, 0, 1, 1]), [2, 0, 1, 1]])
def test_class_numbers_as_targets(labels, rng):
    z = graph.variable(rng.normal(size=(4, 3)))
    expected = graph.cross_entropy(z, np.eye(3)[labels], logits=True).forward().value
    assert graph.cross_entropy(z, labels, logits=True).forward().value == expected
    with pytest.raises(ValueError, match="class numbers from 0 to 2"):
        graph.cross_entropy(z, [0, 1, 2, 3], logits=True)


def test_a_vector_of_targets_is_a_column_for_one_output(rng):
    y, t = graph.variable(rng.normal(size=(6, 1))), rng.normal(size=6)
    assert graph.mse(y, t).forward().value == pytest.approx(((y.value[:, 0] - t) ** 2).mean())
