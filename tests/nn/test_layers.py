"""The layer level in Python: layers as values, and the network made of them."""

import pickle

import numpy as np
import pytest
from numeric import assert_norm_close
from reference import Mlp

from fastmlp import Activation, Dense, Dropout, Network

LAYERS = [Dense(9, "tanh", l1=0.01), Dense(5, "relu", l2=0.02), Dense(3, "softmax")]
REFERENCE = Mlp(("tanh", "relu", "softmax"), (0.01, 0.0, 0.0), (0.0, 0.02, 0.0))
STACK = {"n_features": 4, "random_state": 0, "dtype": "float64"}


def data(rng, rows=40):
    x = rng.normal(size=(rows, 4))
    return x, (x @ rng.normal(size=(4, 3))).argmax(axis=1)


def test_outputs_and_gradients_are_the_formula(rng):
    net = Network(LAYERS, **STACK)
    x, labels = data(rng)
    zs, ys = net.forward(x)
    for actual, exact in zip((zs, ys), REFERENCE.forward(x, net.params), strict=True):
        for a, e in zip(actual, exact, strict=True):
            assert_norm_close(a, e, 1e-12)
    np.testing.assert_array_equal(net(x), ys[-1])
    loss, gradients = net.loss_and_gradients(x, labels, loss="cross_entropy")
    exact = REFERENCE.loss_and_gradients(x, np.eye(3)[labels], net.params, "cross_entropy")
    assert loss == pytest.approx(exact[0], rel=1e-12)
    for pair, exact_pair in zip(gradients, exact[1], strict=True):
        for a, e in zip(pair, exact_pair, strict=True):
            assert_norm_close(a, e, 1e-11)


def test_an_activation_of_its_own_is_that_of_the_layer_before(rng):
    x, _ = data(rng)
    apart = Network([Dense(9), Activation("tanh"), Dense(3), Activation("softmax")], **STACK)
    together = Network([Dense(9, "tanh"), Dense(3, "softmax")], **STACK)
    np.testing.assert_array_equal(apart(x), together(x))


def test_params_are_assignable(rng):
    net, other = Network(LAYERS, **STACK), Network(LAYERS, **STACK | {"random_state": 1})
    x, _ = data(rng)
    assert (net(x) != other(x)).any()
    net.params = other.params
    np.testing.assert_array_equal(net(x), other(x))


@pytest.mark.parametrize("mode", ["inverted", "classic"])
def test_fit_learns_and_goes_on(rng, mode):
    x, labels = data(rng, 300)
    net = Network([Dense(32, "relu"), Dropout(0.2, mode=mode), Dense(3, "softmax")], **STACK)
    how = {"loss": "cross_entropy", "learning_rate": 0.01, "batch_size": 32}
    history = net.fit(x, labels, epochs=20, validation_data=(x, labels), **how)
    assert all(
        len(history[key]) == 20 for key in ("loss", "val_loss", "val_score", "lr", "seconds")
    )
    assert (net(x).argmax(axis=1) == labels).mean() > 0.9
    copy = pickle.loads(pickle.dumps(net))
    for network in (net, copy):
        network.fit(x, labels, epochs=2, **how)
    np.testing.assert_array_equal(net(x), copy(x))


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ([], r"layers"),
        ([Dropout(0.5)], r"layers"),
        ([Dense(3), Dropout(0.5)], r"layers.*Dropout"),
        ([Dropout(0.5), Dropout(0.5), Dense(3)], r"layers\[1\].*Dropout"),
        ([Activation("relu"), Dense(3)], r"layers\[0\].*relu"),
        ([Dense(3, "tanh"), Activation("relu")], r"layers\[1\].*relu"),
        ([Dense(3), "relu"], r"layers\[1\].*relu"),
        (Dense(3), r"layers must be a list.*Dense\(units=3"),
        ("relu", r"layers must be a list.*'relu'"),
    ],
)
def test_layers_in_a_wrong_order(layers, match):
    with pytest.raises((ValueError, TypeError), match=match):
        Network(layers, n_features=4)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Dense(0), r"units.*0"),
        (lambda: Dense(2.5), r"units.*2\.5"),
        (lambda: Dense(3, "swash"), r"activation.*relu.*swash"),
        (lambda: Dense(3, l1=-1), r"l1.*-1"),
        (lambda: Dense(3, l2=np.inf), r"l2.*inf"),
        (lambda: Dropout(1.0), r"rate.*1\.0"),
        (lambda: Dropout(np.nan), r"rate.*nan"),
        (lambda: Dropout(0.5, mode="upside_down"), r"mode.*classic.*upside_down"),
        (lambda: Activation("swash"), r"name.*relu.*swash"),
        (lambda: Network([Dense(3)], 0), r"n_features.*0"),
        (lambda: Network([Dense(3)], 4, dtype="float16"), r"dtype.*float32.*float16"),
        (lambda: Network([Dense(3)], 4, n_jobs=0), r"n_jobs.*0"),
    ],
)
def test_bad_arguments(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"loss": "despair"}, ValueError, r"loss.*mse.*despair"),
        ({"optimizer": "prayer"}, ValueError, r"optimizer.*adam.*prayer"),
        ({"gamma": 1.0}, TypeError, r"gamma.*beta_1"),
        ({"beta_1": 1.0}, ValueError, r"beta_1 must be a number in \[0, 1\); got 1\.0"),
        ({"epsilon": -1.0}, ValueError, r"epsilon must be .*>= 0; got -1\.0"),
        ({"learning_rate": 0.0}, ValueError, r"learning_rate must be .* above 0; got 0\.0"),
        ({"learning_rate": np.nan}, ValueError, r"learning_rate.*got nan"),
        ({"learning_rate": "cosine"}, ValueError, r"learning_rate.*got 'cosine'"),
        ({"batch_size": 0}, ValueError, r"batch_size"),
        ({"batch_size": "auto"}, ValueError, r"batch_size must be 'full' or an integer"),
        ({"loss": "huber(0)"}, ValueError, r"loss='huber\(0\)': delta must be above 0"),
        ({"loss": "quantile(9)"}, ValueError, r"quantile must be between 0 and 1"),
        ({"epochs": 0}, ValueError, r"epochs"),
        ({"X": np.zeros((40, 3))}, ValueError, r"3 features.*4"),
        ({"X": np.full((40, 4), np.nan)}, ValueError, r"NaN"),
        ({"t": np.zeros(39, int)}, ValueError, r"t must.*40"),
        ({"t": np.full(40, 3)}, ValueError, r"3"),
        ({"t": np.full(40, "ant")}, ValueError, r"t must hold numbers, or numbers of classes.*ant"),
        (
            {"validation_data": np.zeros((40, 4))},
            ValueError,
            r"validation_data must be a tuple \(X, t",
        ),
        (
            {"validation_data": (np.zeros((40, 3)), np.zeros(40, int))},
            ValueError,
            r"In valid.*3 feat",
        ),
        ({"sample_weight": np.ones(3)}, ValueError, r"sample_weight"),
        ({"monitor": "moon"}, ValueError, r"monitor.*moon"),
    ],
)
def test_bad_fits_change_nothing(rng, change, error, match):
    x, labels = data(rng)
    net = Network(LAYERS, **STACK)
    before = net(x)
    with pytest.raises(error, match=match):
        net.fit(**{"X": x, "t": labels, "loss": "cross_entropy"} | change)
    np.testing.assert_array_equal(net(x), before)


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_fit_that_diverges_changes_nothing(rng):
    x, _ = data(rng)
    net = Network([Dense(9, "relu"), Dense(1)], **STACK)
    before = net(x)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"NaN or infinite.*learning_rate=1e\+200"):
            net.fit(x, x[:, 0], loss="mse", optimizer="sgd", learning_rate=1e200)
        np.testing.assert_array_equal(net(x), before)


@pytest.mark.parametrize("params", [[1], [(1, 2)] * 9, [np.zeros((4, 3))]])
def test_params_of_another_form(params):
    net = Network([Dense(3)], 4, random_state=0)
    with pytest.raises(ValueError, match=r"params must be a list of pairs \(w, b\)"):
        net.params = params


@pytest.mark.parametrize("monitor", ["accuracy", None])
def test_the_validation_loss_has_no_penalty(rng, monitor):
    x, t = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    weight = rng.uniform(size=20)
    layers = [Dense(8, "tanh", l2=0.1), Dense(3, "softmax", l1=0.1)]
    net = Network(layers, 4, dtype="float64", random_state=0)
    validation = (x[40:], t[40:], weight)
    how = {"loss": "cross_entropy", "epochs": 9, "validation_data": validation}
    history = net.fit(x[:40], t[:40], monitor=monitor, **how)
    plain = Network([Dense(8, "tanh"), Dense(3, "softmax")], 4, dtype="float64")
    plain.params = net.params
    kept, _ = plain.loss_and_gradients(*validation[:2], "cross_entropy", sample_weight=weight)
    best = int(np.argmax(history["val_score"]))
    assert kept == pytest.approx(history["val_loss"][best], rel=1e-12)
    assert (history["val_score"] == [-loss for loss in history["val_loss"]]) == (monitor is None)
    assert np.isnan(net.fit(x, t, loss="cross_entropy", epochs=2)["val_loss"]).all()


def test_a_summary_counts_what_is_learned():
    layers = [Dense(8, [("relu", 5), ("tanh", 3)]), Dropout(0.25), Dense(6, "prelu"), Dense(1)]
    network = Network(layers, 4, dtype="float64", random_state=0)
    lines = network.summary().splitlines()
    assert [len(line) for line in lines[:4]] == [len(lines[0])] * 4
    assert lines[1].split() == ["1", "4", "8", "5", "relu,", "3", "tanh", "40"]
    assert lines[2].split() == ["2", "8", "dropout", "0.25", "6", "prelu", "60"]
    total = sum(array.size for arrays in network.params for array in arrays)
    assert lines[-1] == f"{total} parameters, {8 * total} bytes as float64"
