"""Gradients while values are dropped: of every activation below a dropout, whatever its slope."""

import numpy as np
import pytest
from builders import trainer
from numeric import gradient
from reference import ACTIVATIONS

from fastmlp import _core

RATE, DROP, SEED = 1e-3, 0.4, 11


def dropping(activation, params, mode):
    """A network with dropout behind its hidden layer, and its slopes."""
    specs = [
        _core.DenseSpec([(activation, 6, None)]),
        _core.DenseSpec([("identity", 3, None)], input_dropout=DROP, dropout_mode=mode),
    ]
    network = _core.NetworkFloat64(4, specs)
    coefs, intercepts, slopes = params
    network.set_params(coefs, intercepts, slopes)
    return network


def flat(params):
    return np.concatenate([np.ravel(a) for arrays in params for a in arrays])


def unflat(vector, like):
    parts = np.split(vector, np.cumsum([a.size for arrays in like for a in arrays])[:-1])
    arrays = iter(parts)
    return [[next(arrays).reshape(a.shape) for a in each] for each in like]


@pytest.mark.usefixtures("use_target")
@pytest.mark.parametrize("mode", ["inverted", "classic"])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_a_step_is_along_the_gradient_under_its_masks(activation, mode, rng):
    """By a step of gradient descent, whose masks those of `predict_masked` are."""
    slope = [np.full(6, 0.3)] if activation == "prelu" else [np.empty(0)]
    start = [
        [rng.normal(size=(4, 6)), rng.normal(size=(6, 3))],
        [rng.normal(size=6), rng.normal(size=3)],
        [*slope, np.empty(0)],
    ]
    x, t = rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    network = dropping(activation, start, mode)
    how = {"loss": "mse", "optimizer": "sgd", "rate": RATE, "batch_size": 5, "shuffle": False}
    trainer(network, seed=SEED, **how).run(x, t, epochs=1)

    def loss(vector):
        moved = dropping(activation, unflat(vector, start), mode)
        return ((moved.predict_masked(x, SEED, 1) - t) ** 2).mean()

    expected = flat(start) - RATE * gradient(loss, flat(start), 1e-6)
    np.testing.assert_allclose(flat(network.get_params()), expected, rtol=0, atol=1e-9)
