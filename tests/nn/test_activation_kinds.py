"""Activations that differ within a layer, that have a parameter, and that learn one."""

import numpy as np
import pytest
from builders import bits, network_type, random_params, trainer
from numeric import assert_norm_close, directional_derivative
from reference import ACTIVATION_VARIANTS, ACTIVATIONS

from fastmlp import _core

pytestmark = pytest.mark.usefixtures("use_target")
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
MIX = [("relu", 5, None), ("tanh", 19, None), ("silu", 2, None), ("leaky_relu", 14, 0.3)]


def mixed(dtype, rng, parts=MIX, **dense):
    """A network 6 - mix - 3 and its parameters."""
    units = sum(part[1] for part in parts)
    specs = [
        _core.DenseSpec(parts, **dense),
        _core.DenseSpec([("tanh", 2, None), ("identity", 1, None)]),
    ]
    network = network_type(dtype)(6, specs)
    params = random_params(rng, (6, units, 3))
    network.set_params([w for w, _ in params], [b for _, b in params])
    return network, params


def by_part(parts, z):
    """Value and slope of every column."""
    values, slopes, begin = [], [], 0
    for name, units, parameter in parts:
        own = ACTIVATIONS[name] if parameter is None else ACTIVATION_VARIANTS[name, parameter]
        columns = z[:, begin : begin + units]
        values.append(own.value(columns))
        slopes.append(own.slope(columns))
        begin += units
    return np.hstack(values), np.hstack(slopes)


@pytest.mark.parametrize("rows", [1, 7, 300])
def test_each_unit_of_a_mix_has_its_activation(dtype, rng, rows):
    network, params = mixed(dtype, rng)
    x = rng.normal(size=(rows, 6))
    z = x @ params[0][0] + params[0][1]
    zs, ys = network.forward(x)
    assert_norm_close(zs[0], z, TOLERANCE[dtype])
    assert_norm_close(ys[0], by_part(MIX, z)[0], TOLERANCE[dtype])
    np.testing.assert_array_equal(network.predict(x), ys[1])


def test_gradients_of_a_mix(dtype, rng):
    network, params = mixed(dtype, rng)
    x, t = rng.normal(size=(30, 6)), rng.normal(size=(30, 3))
    _, dw, db, _ = network.loss_and_gradients(x, t, "squared_error")
    (w0, b0), (w1, b1) = params
    y0, slope0 = by_part(MIX, x @ w0 + b0)
    y1, slope1 = by_part([("tanh", 2, None), ("identity", 1, None)], y0 @ w1 + b1)
    dz1 = (y1 - t) / 30 * slope1
    dz0 = dz1 @ w1.T * slope0
    for actual, exact in ((dw[1], y0.T @ dz1), (db[1], dz1.sum(0)), (dw[0], x.T @ dz0)):
        assert_norm_close(actual, exact, 10 * TOLERANCE[dtype])
    assert_norm_close(db[0], dz0.sum(0), 10 * TOLERANCE[dtype])


@pytest.mark.parametrize("n_threads", [2, 4])
def test_mixes_and_learned_slopes_train_alike_on_any_number_of_threads(dtype, rng, n_threads):
    x, t = rng.normal(size=(700, 6)), rng.normal(size=(700, 3))
    trained = []
    for threads in (1, n_threads):
        specs = [
            _core.DenseSpec([("prelu", 130, None)], input_dropout=0.1),
            _core.DenseSpec([("tanh", 60, None), ("silu", 41, None)]),
            _core.DenseSpec([("identity", 3, None)]),
        ]
        network = network_type(dtype)(6, specs)
        params = random_params(np.random.default_rng(1), (6, 130, 101, 3))
        network.set_params([w for w, _ in params], [b for _, b in params])
        trainer(network, batch_size=256, optimizer="adam", rate=0.01).run(
            x, t, epochs=3, n_threads=threads
        )
        trained.append(bits(network))
    assert trained[0] == trained[1]


def test_the_gradient_of_learned_slopes_is_that_of_the_objective(rng):
    specs = [_core.DenseSpec([("prelu", 70, 0.1)]), _core.DenseSpec([("prelu", 3, None)])]
    network = _core.NetworkFloat64(6, specs)
    params = random_params(rng, (6, 70, 3))
    network.set_params([w for w, _ in params], [b for _, b in params])
    slopes = network.get_params()[2]
    np.testing.assert_array_equal(slopes[0], np.full(70, 0.1))
    np.testing.assert_array_equal(slopes[1], np.full(3, 0.25))
    x, t = rng.normal(size=(40, 6)), rng.normal(size=(40, 3))
    gradients = network.loss_and_gradients(x, t, "squared_error")[1:]
    direction = [[rng.normal(size=a.shape) for a in arrays] for arrays in gradients]

    def objective(s):
        moved = [
            [a + s * d for a, d in zip(arrays, ds, strict=True)]
            for arrays, ds in zip(
                ([w for w, _ in params], [b for _, b in params], slopes), direction, strict=True
            )
        ]
        network.set_params(*moved)
        return network.loss_and_gradients(x, t, "squared_error")[0]

    slope = sum(
        (g * d).sum()
        for gs, ds in zip(gradients, direction, strict=True)
        for g, d in zip(gs, ds, strict=True)
    )
    assert directional_derivative(objective, 1e-6) == pytest.approx(slope, rel=1e-6)


def test_slopes_are_learned(dtype, rng):
    """A single unit has to find the slope of the data's left half."""
    x = rng.normal(size=(400, 1))
    t = np.where(x > 0, x, 0.7 * x)
    network = network_type(dtype)(1, [_core.DenseSpec([("prelu", 1, None)])])
    network.set_params([np.ones((1, 1))], [np.zeros(1)])
    teacher = trainer(network, optimizer="adam", rate=0.01, batch_size=40)
    teacher.run(x, t, epochs=200)
    coefs, _, slopes = network.get_params()
    assert coefs[0][0, 0] * slopes[0][0] == pytest.approx(0.7, abs=0.01)
    state = teacher.get_state()["slots"]
    assert [array.shape for array in state[0][2]] == [(1,)]
    assert state[0][2][0].any()


def test_parameters_reach_the_network(rng):
    x = rng.normal(size=(9, 4))
    for (name, parameter), activation in ACTIVATION_VARIANTS.items():
        network = _core.NetworkFloat64(4, [_core.DenseSpec([(name, 5, parameter)])])
        w = rng.normal(size=(4, 5))
        network.set_params([w], [np.zeros(5)])
        np.testing.assert_allclose(network.predict(x), activation.value(x @ w), rtol=1e-12)
