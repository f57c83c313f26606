"""Layer normalisation of a dense layer's input: values, gradients, and all that a network does."""

import ctypes
import itertools
import pickle
import shutil
import subprocess

import numpy as np
import pytest
from loops import each
from numeric import gradient

import fastmlp
from fastmlp import Activation, Dense, Dropout, LayerNorm, Network

rng = np.random.default_rng(0)
LAYERS = [
    LayerNorm(1e-3),
    Dense(9, "tanh"),
    LayerNorm(),
    Dense(17, [("relu", 9), ("softplus", 8)]),
    LayerNorm(0.1),
    Dense(33, "gelu"),
    Dense(2, "silu"),
    LayerNorm(),
    Dense(3, "softmax"),
]
EPSILONS = [1e-3, 1e-5, 0.1, 0.0, 1e-5]


def normalized(x, epsilon):
    x = x.astype(float)
    off = x - x.mean(axis=1, keepdims=True)
    return off / np.sqrt((off**2).mean(axis=1, keepdims=True) + epsilon)


def by_hand(network, x):
    """The outputs, from the network's weights and what it gives of each layer."""
    y = x
    zs, ys = network.forward(x)
    for (w, b, *_), epsilon, z, next_y in zip(network.params, EPSILONS, zs, ys, strict=True):
        y = normalized(y, epsilon) if epsilon else y
        tolerance = 1e-12 if network.dtype == "float64" else 1e-5
        np.testing.assert_allclose(z, y @ w + b, rtol=tolerance, atol=tolerance)
        y = next_y
    return y


@pytest.mark.usefixtures("use_target")
@each("features", [1, 2, 15, 16, 17, 40])
@each("rows", [1, 3, 300])
def test_forward_is_the_formula(dtype, features, rows, rng):
    network = Network(LAYERS, features, random_state=0, dtype=dtype)
    x = (5 * rng.normal(size=(rows, features)) + 3).astype(dtype)
    np.testing.assert_array_equal(by_hand(network, x), network(x))


@pytest.mark.usefixtures("use_target")
@pytest.mark.parametrize("features", [5, 16, 33])
def test_gradients_are_differences(features, rng):
    network = Network(LAYERS, features, random_state=1, dtype="float64")
    x, t = rng.normal(size=(7, features)), rng.integers(0, 3, 7)
    _, gradients = network.loss_and_gradients(x, t)
    params = [[np.array(array) for array in arrays] for arrays in network.params]
    for layer, place in itertools.product(range(len(params)), (0, 1)):

        def loss(value, layer=layer, place=place):
            changed = [list(arrays) for arrays in params]
            changed[layer][place] = value
            network.params = [tuple(arrays) for arrays in changed]
            return network.loss_and_gradients(x, t)[0]

        expected = gradient(loss, params[layer][place], 1e-5)
        np.testing.assert_allclose(gradients[layer][place], expected, rtol=1e-6, atol=1e-8)
    network.params = [tuple(arrays) for arrays in params]
    found = network.input_gradients(x)
    for output in range(3):
        expected = gradient(lambda v, k=output: network(v)[:, k].sum(), x, 1e-5)
        np.testing.assert_allclose(found[:, output], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.usefixtures("use_target")
def test_behind_dropout_of_either_kind(dtype, rng):
    """Dropout comes behind the normalisation, and its masks are those of any network."""
    x, t = rng.normal(size=(40, 6)).astype(dtype), rng.integers(0, 3, 40)
    for mode in ("inverted", "classic"):
        layers = [
            LayerNorm(),
            Dropout(0.4, mode=mode),
            Dense(12, "relu"),
            LayerNorm(),
            Dropout(0.5),
        ]
        network = Network([*layers, Dense(3, "softmax")], 6, random_state=0, dtype=dtype)
        plain = Network(
            [Dropout(0.4, mode=mode), *layers[2:3], Dense(3, "softmax")], 6, dtype=dtype
        )
        plain.params = network.params
        first = plain.forward(normalized(x, 1e-5).astype(dtype))[0][0]
        tolerance = {"rtol": 1e-4, "atol": 1e-5}
        np.testing.assert_allclose(network.forward(x)[0][0], first, **tolerance)
        losses = network.fit(x, t, loss="cross_entropy", epochs=60, learning_rate=0.01)["loss"]
        assert losses[-1] < losses[0]
        value, _ = network.loss_and_gradients(x, t)
        assert value == pytest.approx(-np.log(network(x)[np.arange(40), t]).mean(), rel=1e-4)


@pytest.mark.usefixtures("use_target")
@pytest.mark.parametrize(
    ("widths", "rows"), [((8, 8), 200), ((256, 256), 64), ((700, 700), 16), ((30, 300), 300)]
)
def test_threads_make_no_difference(widths, rows, several, rng):
    """Whatever schedule the shapes ask for."""
    x, t = rng.normal(size=(3 * rows, 20)), rng.integers(0, 3, 3 * rows)
    results = []
    for n_jobs in several:
        layers = [Dense(widths[0], "relu"), LayerNorm(), Dropout(0.1), Dense(widths[1], "tanh")]
        network = Network([*layers, LayerNorm(), Dense(3, "softmax")], 20, random_state=0)
        network.n_jobs = n_jobs
        network.fit(x, t, loss="cross_entropy", epochs=2, batch_size=rows)
        results.append((network.params[0][0], network(x), network(x[:3]), network.step_losses))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_training_is_steps_along_the_gradient(rng):
    x, t = rng.normal(size=(30, 5)), rng.normal(size=(30, 2))
    layers = [LayerNorm(), Dense(7, "tanh"), LayerNorm(), Dense(2)]
    network = Network(layers, 5, random_state=0, dtype="float64")
    other = Network(layers, 5, random_state=0, dtype="float64")
    how = {"loss": "mse", "optimizer": "sgd", "learning_rate": 0.1, "batch_size": "full"}
    network.fit(x, t, epochs=5, **how)
    for _ in range(5):
        _, gradients = other.loss_and_gradients(x, t, "mse")
        other.params = [
            tuple(p - 0.1 * g for p, g in zip(*pair, strict=True))
            for pair in zip(other.params, gradients, strict=True)
        ]
    for a, b in zip(network.params, other.params, strict=True):
        np.testing.assert_allclose(a[0], b[0], rtol=1e-10, atol=1e-12)


def test_scale_and_shift_of_the_inputs_do_not_matter(rng):
    layers = [LayerNorm(1e-12), Dense(4, "relu"), Dense(2)]
    network = Network(layers, 6, random_state=0, dtype="float64")
    x = rng.normal(size=(9, 6))
    np.testing.assert_allclose(network(1000 * x + 50), network(x), rtol=1e-9, atol=1e-9)
    assert np.isfinite(network(np.ones((2, 6)))).all()  # all the same: nothing to scale


def test_files_copies_and_exports(tmp_path, dtype):
    network = Network(LAYERS, 8, random_state=0, dtype=dtype)
    x = rng.normal(size=(20, 8)).astype(dtype)
    fastmlp.save(network, tmp_path / "network")
    loaded = fastmlp.load(tmp_path / "network")
    assert loaded.layers == network.layers == tuple(LAYERS)
    for copy in (loaded, pickle.loads(pickle.dumps(network))):
        np.testing.assert_array_equal(copy(x), network(x))
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(fastmlp.to_onnx(network).SerializeToString())
    (found,) = session.run(None, {"X": x})
    np.testing.assert_allclose(found, network(x), rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
@pytest.mark.parametrize("features", [8, 60])
def test_as_c(tmp_path, dtype, features):
    network = Network(LAYERS, features, random_state=0, dtype=dtype)
    x = rng.normal(size=(20, features)).astype(dtype)
    source, library = tmp_path / "model.c", tmp_path / "model.so"
    source.write_text(fastmlp.to_c(network), encoding="ascii")
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wdouble-promotion", "-pedantic", "-Werror"]
    command = ["cc", *strict, "-shared", "-fPIC", str(source), "-o", str(library), "-lm"]
    subprocess.run(command, check=True)
    function = ctypes.CDLL(str(library)).model_outputs
    found = np.empty((20, 3), dtype)
    for row, to in zip(x, found, strict=True):
        function(row.ctypes.data_as(ctypes.c_void_p), to.ctypes.data_as(ctypes.c_void_p))
    np.testing.assert_allclose(found, network(x), rtol=1e-4, atol=1e-5)


def test_summary_and_repr():
    network = Network([LayerNorm(), Dense(4), Activation("relu"), Dropout(0.5), Dense(2)], 3)
    lines = network.summary().splitlines()
    assert lines[0].split() == ["layer", "inputs", "before", "outputs", "activation", "parameters"]
    assert lines[1].split() == ["1", "3", "norm", "4", "relu", "16"]
    assert lines[2].split() == ["2", "4", "dropout", "0.5", "2", "identity", "10"]
    assert "LayerNorm(epsilon=1e-05)" in repr(network)
    both = Network([Dense(4), LayerNorm(), Dropout(0.5), Dense(2)], 3)
    assert "norm, dropout 0.5" in both.summary()


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ([Dense(2), LayerNorm()], r"must not end with LayerNorm\(epsilon=1e-05\)"),
        (
            [LayerNorm(), LayerNorm(), Dense(2)],
            r"layers\[1\], LayerNorm.*must not follow LayerNorm",
        ),
        ([Dropout(0.1), LayerNorm(), Dense(2)], r"layers\[1\], LayerNorm.*must not follow Dropout"),
        ([Dense(2), LayerNorm(), Activation("relu")], "must follow a Dense layer"),
    ],
)
def test_where_it_cannot_stand(layers, match):
    with pytest.raises(ValueError, match=match):
        Network(layers, 3)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, np.nan, np.inf, "small", True])
def test_epsilon_must_be_a_small_number(epsilon):
    with pytest.raises(ValueError, match=r"epsilon must be a finite number >= 1e-12"):
        LayerNorm(epsilon)
