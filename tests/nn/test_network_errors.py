"""Wrong layers, inputs, targets and weights: errors that name the argument and change nothing."""

import numpy as np
import pytest
from builders import network_type

from fastmlp import _core

pytestmark = pytest.mark.usefixtures("use_target")


@pytest.mark.parametrize(
    ("parts", "options", "match"),
    [
        ([("relu", 0, None)], {}, "units"),
        ([("relu", -3, None)], {}, "units"),
        ([], {}, "activation"),
        ([("swash", 3, None)], {}, "activation.*swash.*relu"),
        ([("relu", 3, 0.5)], {}, "relu.*no parameter"),
        ([("leaky_relu", 3, -0.5)], {}, "slope.*leaky_relu.*-0.5"),
        ([("leaky_relu", 3, np.nan)], {}, "slope.*leaky_relu"),
        ([("relu", 3, None), ("softmax", 2, None)], {}, "softmax.*share"),
        ([("prelu", 3, None), ("relu", 2, None)], {}, "prelu.*share"),
        ([("relu", 3, None)], {"input_dropout": 1.0}, "dropout"),
        ([("relu", 3, None)], {"input_dropout": -0.1}, "dropout"),
        ([("relu", 3, None)], {"input_dropout": np.nan}, "dropout"),
        (
            [("relu", 3, None)],
            {"dropout_mode": "upside_down"},
            "dropout_mode.*upside_down.*inverted",
        ),
        ([("relu", 3, None)], {"l1": -1.0}, "l1"),
        ([("relu", 3, None)], {"l2": -1.0}, "l2"),
        ([("relu", 3, None)], {"l2": np.inf}, "l2"),
    ],
)
def test_bad_layers(parts, options, match):
    with pytest.raises(ValueError, match=match):
        _core.NetworkFloat32(3, [_core.DenseSpec(parts, **options)])


@pytest.mark.parametrize(
    ("n_features", "units", "match"),
    [(0, [2], "n_features"), (-1, [2], "n_features"), (3, [], "layer")],
)
def test_bad_networks(dtype, n_features, units, match):
    with pytest.raises(ValueError, match=match):
        network_type(dtype)(n_features, [_core.DenseSpec([("relu", n, None)]) for n in units])


@pytest.mark.parametrize("shape", [(3,), (2, 5), (2, 3, 4)])
def test_bad_input_shapes(dtype, shape):
    network = network_type(dtype)(4, [_core.DenseSpec([("softmax", 2, None)])])
    for call in (network.predict, network.forward):
        with pytest.raises(ValueError, match=r"x"):
            call(np.zeros(shape))


@pytest.mark.parametrize("kind", [str, object, complex, "float16", ">f4", "datetime64[s]"])
def test_bad_input_types(dtype, kind):
    network = network_type(dtype)(4, [_core.DenseSpec([("softmax", 2, None)])])
    with pytest.raises((TypeError, ValueError), match=r"x"):
        network.predict(np.zeros((2, 4)).astype(kind))


@pytest.mark.parametrize(
    ("t", "loss", "weight", "match"),
    [
        (np.zeros((5, 3)), "hinge_of_a_door", None, "loss.*hinge_of_a_door.*mse"),
        (np.zeros((4, 3)), "mse", None, "t"),
        (np.zeros((5, 2)), "mse", None, "t"),
        (np.zeros((5, 3, 1)), "mse", None, "t"),
        (np.array([0, 1, 2, 3, 0]), "cross_entropy", None, "t.*3"),
        (np.array([0, 1, 2, -1, 0]), "cross_entropy", None, "t.*-1"),
        (np.zeros((5, 3)), "mse", np.ones(4), "sample_weight"),
        (np.zeros((5, 3)), "mse", np.ones((5, 1)), "sample_weight"),
    ],
)
def test_bad_targets(dtype, t, loss, weight, match):
    network = network_type(dtype)(4, [_core.DenseSpec([("softmax", 3, None)])])
    with pytest.raises(ValueError, match=match):
        network.loss_and_gradients(np.zeros((5, 4)), t, loss, weight)


@pytest.mark.parametrize(
    ("coefs", "intercepts"),
    [
        ([], []),
        ([(4, 2)], [(2,), (2,)]),
        ([(4, 2), (2, 3)], [(2,), (2,)]),
        ([(4, 2), (3, 2)], [(2,), (2,)]),
        ([(4, 2), (2,)], [(2,), (2,)]),
        ([(4, 2), (2, 2)], [(2,), (2, 1)]),
    ],
)
def test_bad_params_change_nothing(dtype, coefs, intercepts):
    network = network_type(dtype)(
        4, [_core.DenseSpec([("relu", 2, None)]), _core.DenseSpec([("softmax", 2, None)])]
    )
    with pytest.raises(ValueError, match=r"coefs|intercepts"):
        network.set_params([np.ones(s) for s in coefs], [np.ones(s) for s in intercepts])
    assert not any(array.any() for arrays in network.get_params() for array in arrays)


def test_bad_target_names(target):
    with pytest.raises(ValueError, match=f"abacus.*{target}"):
        _core.set_target("abacus")
    assert _core.current_target() == target


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (np.array([0, 1, 2**63, 1], dtype=np.uint64), "9223372036854775808 in row 2"),
        (np.array([0, 1, 1, -1], dtype=np.int8), "-1 in row 3"),
        (np.array([0, 1, 2, 200], dtype=np.uint8), "200 in row 3"),
        (np.array([3, 0, 1, 0])[::-1], "3 in row 3"),
        (np.frombuffer(b"_" + np.array([0, 7, 1, 1]).tobytes(), "i8", 4, 1), "7 in row 1"),
    ],
)
def test_labels_that_are_no_outputs(dtype, labels, match):
    network = network_type(dtype)(2, [_core.DenseSpec([("softmax", 3, None)])])
    with pytest.raises(ValueError, match=match):
        network.loss_and_gradients(np.zeros((4, 2)), labels, "cross_entropy")


def test_no_more_threads_than_the_limit():
    usual = _core.max_threads()
    try:
        _core.limit_threads(1)
        assert _core.max_threads() == 1
        _core.limit_threads(100_000)
        assert _core.max_threads() <= 256
    finally:
        _core.limit_threads(usual)
