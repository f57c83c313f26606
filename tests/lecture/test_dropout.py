"""Dropout: the masks of training, and the average over them that the test time stands for."""

import itertools

import numpy as np
import pytest
from builders import build, random_params
from reference import Mlp

from fastmlp import Dense, Dropout, MLPClassifier, MLPRegressor, Network, graph

pytestmark = [
    pytest.mark.usefixtures("use_target"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

WIDE = 4096
RATE = 1e-6


def training_masks(passes, *, rate=0.5, mode="inverted", dtype="float64", seed=0, n_jobs=1):
    """The factors on the inputs in successive forward passes, read off the weights.

    A linear neuron with small weights, input 1 and target 1 has the gradient -mask: gradient
    descent adds ``RATE * mask`` to the weights.
    """
    net = Network(
        [Dropout(rate, mode=mode), Dense(1)], WIDE, random_state=seed, dtype=dtype, n_jobs=n_jobs
    )
    net.params = [(np.zeros((WIDE, 1)), np.zeros(1))]
    before, masks = np.zeros(WIDE), []
    for _ in range(passes):
        net.fit(
            np.ones((1, WIDE)),
            [1.0],
            loss="squared_error",
            optimizer="sgd",
            learning_rate=RATE,
            epochs=1,
        )
        now = net.params[0][0][:, 0].astype(float)
        masks.append((now - before) / RATE)
        before = now
    return np.array(masks)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("mode", ["inverted", "classic"])
def test_neurons_are_set_to_zero_and_the_others_scaled(rate, mode, dtype):
    (mask,) = training_masks(1, rate=rate, mode=mode, dtype=dtype)
    scale = 1 / (1 - rate) if mode == "inverted" else 1.0
    np.testing.assert_allclose(mask[mask != 0], scale, rtol=1e-5)
    # Binomial: five standard deviations.
    kept = (mask != 0).sum()
    assert abs(kept - WIDE * (1 - rate)) < 5 * np.sqrt(WIDE * rate * (1 - rate))


def test_no_mask_at_rate_zero(dtype):
    np.testing.assert_allclose(training_masks(1, rate=0.0, dtype=dtype), 1, rtol=1e-5)


def test_every_pass_has_a_mask_of_its_own():
    masks = training_masks(8) != 0
    for a, b in itertools.combinations(masks, 2):
        agree = (a == b).sum()  # of independent masks, about half
        assert abs(agree - WIDE / 2) < 5 * np.sqrt(WIDE / 4)


def test_masks_are_reproducible_by_seed_whatever_the_threads():
    first = training_masks(4)
    for n_jobs in (1, 2, 3, None):
        np.testing.assert_array_equal(training_masks(4, n_jobs=n_jobs), first)
    other = training_masks(4, seed=1)
    assert abs(((first != 0) == (other != 0)).mean() - 0.5) < 0.05


@pytest.mark.parametrize("rows", [16, 600])
def test_every_sample_of_a_batch_has_a_mask_of_its_own(rows, dtype):
    """One sample per output: row i of the masks ends up in column i of the weights."""
    width = 80
    found = []
    for n_jobs in (1, 2, 3):
        net = Network([Dropout(0.5), Dense(rows)], width, random_state=0, dtype=dtype)
        net.n_jobs = n_jobs
        net.params = [(np.zeros((width, rows)), np.zeros(rows))]
        net.fit(
            np.ones((rows, width)),
            np.eye(rows),
            loss="squared_error",
            optimizer="sgd",
            learning_rate=RATE,
            batch_size="full",
            epochs=1,
            shuffle=False,
        )
        found.append(net.params[0][0].T != 0)
    masks = found[0]
    assert all((masks == other).all() for other in found)
    assert len(np.unique(masks, axis=0)) == rows
    assert abs(masks.mean() - 0.5) < 5 * 0.5 / np.sqrt(masks.size)


def test_dropped_neurons_do_not_learn(rng):
    """The gradient of what leaves and of what enters a dropped hidden neuron is zero."""
    hidden = 200
    net = Network(
        [Dense(hidden, "tanh"), Dropout(0.5), Dense(1)], 3, random_state=0, dtype="float64"
    )
    before = net.params
    net.fit(rng.normal(size=(1, 3)), [5.0], loss="mse", optimizer="sgd", epochs=1)
    (into, bias), (out, _) = [
        (w - w0, b - b0) for (w, b), (w0, b0) in zip(net.params, before, strict=True)
    ]
    dropped = out[:, 0] == 0
    assert 60 < dropped.sum() < 140
    assert not into[:, dropped].any()
    assert not bias[dropped].any()
    assert into[:, ~dropped].all()


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_the_module_of_the_graph(rate, dtype):
    x = graph.variable(np.ones((100, 100)), dtype=dtype)
    y = graph.dropout(x, rate, seed=3)
    masks = []
    for _ in range(4):
        y.forward().backward(np.ones((100, 100)))
        masks.append(y.value)
        np.testing.assert_array_equal(y.value, x.grad)  # what is dropped has no gradient
    kept = np.array(masks) != 0
    assert (np.abs(kept.mean(axis=(1, 2)) - (1 - rate)) < 0.05 * np.sqrt(rate * (1 - rate))).all()
    assert all((a != b).any() for a, b in itertools.combinations(kept, 2))
    again = graph.dropout(x, rate, seed=3)
    for n_jobs, mask in zip((1, 2, 3, 4), masks, strict=True):
        np.testing.assert_array_equal(again.forward(n_jobs=n_jobs).value, mask)
    np.testing.assert_array_equal(y.forward(training=False).value, x.value)


# Test time


def test_the_four_masks_of_two_inputs(dtype):
    """E_train[a] = (w1 x + w2 y) / 2 = keep probability times E_test[a], exactly: powers of two."""
    x, w = np.array([[3.0, -5.0]]), np.array([[0.75], [0.5]])
    nets = {}
    for name, layers in {
        "none": [Dense(1)],
        "classic": [Dropout(0.5, mode="classic"), Dense(1)],
        "inverted": [Dropout(0.5), Dense(1)],
    }.items():
        nets[name] = Network(layers, 2, dtype=dtype)
        nets[name].params = [(w, np.zeros(1))]
    masks = np.array(list(itertools.product((0, 1), repeat=2)))
    over_masks = nets["none"](x * masks)
    np.testing.assert_array_equal(over_masks[:, 0], [0, -2.5, 2.25, -0.25])
    keep, test = 0.5, nets["none"](x)
    assert over_masks.mean() == keep * test == -0.125
    # Classic: the outgoing weights are multiplied by the keep probability at test time.
    assert nets["classic"](x) == over_masks.mean()
    # Inverted: scaled up while training, and left alone at test time.
    assert nets["none"](x * masks / keep).mean() == nets["inverted"](x) == test


@pytest.mark.parametrize("mode", ["inverted", "classic"])
def test_the_core_draws_those_four_masks(mode, dtype):
    """Each about as often as the others, and no other value."""
    draws = 4000
    net = build(
        dtype,
        (2, 1),
        Mlp(("identity",)),
        [(np.array([[0.75], [0.5]]), np.zeros(1))],
        input_dropout=0.5,
        dropout_mode=mode,
    )
    x = np.tile([[3.0, -5.0]], (draws, 1))
    values, counts = np.unique(net.predict_masked(x, 7, 0), return_counts=True)
    scale = 2 if mode == "inverted" else 1
    np.testing.assert_array_equal(values, scale * np.array([-2.5, -0.25, 0, 2.25]))
    assert (np.abs(counts - draws / 4) < 5 * np.sqrt(draws * 3 / 16)).all()


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_both_modes_have_the_same_expectation(rate, dtype, rng):
    """Trained weights of classic dropout are 1 / keep times those of inverted dropout; then all
    three agree: either mode at test time, and the average over all masks."""
    keep, x = 1 - rate, rng.normal(size=(5, 6))
    w, b = rng.normal(size=(6, 3)), rng.normal(size=3)
    inverted = Network([Dropout(rate), Dense(3)], 6, dtype=dtype)
    classic = Network([Dropout(rate, mode="classic"), Dense(3)], 6, dtype=dtype)
    inverted.params, classic.params = [(w, b)], [(w / keep, b)]
    masks = np.array(list(itertools.product((0, 1), repeat=6)))
    share = np.prod(np.where(masks, keep, rate), axis=1)
    mean = sum(p * ((x * m / keep) @ w + b) for p, m in zip(share, masks, strict=True))
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(inverted(x), mean, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(classic(x), mean, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("mode", ["inverted", "classic"])
def test_the_weights_leaving_a_unit_are_multiplied_by_its_keep_probability(mode, dtype, rng):
    params, x = random_params(rng, (4, 8, 2)), rng.normal(size=(9, 4))
    net = Network([Dense(8, "relu"), Dropout(0.25, mode=mode), Dense(2)], 4, dtype=dtype)
    plain = Network([Dense(8, "relu"), Dense(2)], 4, dtype=dtype)
    (w1, b1), (w2, b2) = net.params = params
    plain.params = [(w1, b1), (w2 * (0.75 if mode == "classic" else 1), b2)]
    np.testing.assert_allclose(net(x), plain(x), rtol=1e-5 if dtype == "float32" else 1e-13)


# The average over masks, f(x) = E_z[f(x, z)]

SAMPLES = 4000


def over_all_masks(model, x, rates):
    """Mean and standard deviation of the outputs over every mask of inputs and hidden neurons."""
    widths = [w.shape[0] for w in model.coefs_]
    rate = np.repeat(rates, widths)
    (w1, w2), (b1, b2) = [
        [array.astype(float) for array in arrays] for arrays in (model.coefs_, model.intercepts_)
    ]
    mean = square = 0.0
    for mask in itertools.product((0, 1), repeat=len(rate)):
        share = np.prod(np.where(mask, 1 - rate, rate))
        on_inputs, on_hidden = np.split(np.array(mask) / (1 - rate), widths[:1])
        y = (np.tanh(x * on_inputs @ w1 + b1) * on_hidden) @ w2 + b2
        if model.out_activation_ == "logistic":
            y = 1 / (1 + np.exp(-y))
        mean, square = mean + share * y, square + share * y**2
    return mean[:, 0], np.sqrt(square - mean**2)[:, 0]


@pytest.mark.parametrize("rates", [(0.0, 0.5), (0.5, 0.0), (0.2, 0.5)])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_monte_carlo_average_is_the_expectation(kind, rates, dtype, rng):
    """Of a network small enough to go through all masks: within four standard errors."""
    x = rng.normal(size=(12, 2))
    y = (x[:, 0] > x[:, 1]).astype(int) if kind is MLPClassifier else x[:, 0] - x[:, 1]
    model = kind(
        hidden_layer_sizes=(3,),
        activation="tanh",
        dropout_input=rates[0],
        dropout=rates[1],
        max_iter=20,
        learning_rate_init=0.05,
        dtype=dtype,
        random_state=0,
    ).fit(x, y)
    exact, spread = over_all_masks(model, x, rates)
    predict = model.predict if kind is MLPRegressor else model.predict_proba
    mean, std = predict(x, dropout_samples=SAMPLES, return_std=True)
    if kind is MLPClassifier:
        mean, std = mean[:, 1], std[:, 1]
    rounding = 1e-6 if dtype == "float32" else 1e-12
    assert (np.abs(mean - exact) <= 4 * spread / np.sqrt(SAMPLES) + rounding).all()
    np.testing.assert_allclose(std, spread, rtol=0.1)
    few = predict(x, dropout_samples=20)
    few = few[:, 1] if kind is MLPClassifier else few
    assert np.abs(mean - exact).mean() < np.abs(few - exact).mean()


def test_of_a_linear_network_the_test_time_is_the_expectation(rng):
    """Without a non-linearity behind the masks nothing is approximated."""
    x = rng.normal(size=(10, 4))
    model = MLPRegressor(
        hidden_layer_sizes=(), dropout_input=0.5, max_iter=20, dtype="float64", random_state=0
    ).fit(x, x.sum(axis=1))
    mean, std = model.predict(x, dropout_samples=SAMPLES, return_std=True)
    assert (np.abs(mean - model.predict(x)) <= 4 * std / np.sqrt(SAMPLES)).all()


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_every_sample_of_a_prediction_has_masks_of_its_own(kind, dtype):
    """The same input a thousand times, under one mask each: no two outputs agree, whatever the
    threads."""
    x = np.tile(np.linspace(-1, 1, 20), (1000, 1))
    model = kind(
        hidden_layer_sizes=(200,), dropout=0.5, max_iter=1, dtype=dtype, random_state=0, n_jobs=1
    ).fit(x, np.arange(1000) > 0)
    method = "predict" if kind is MLPRegressor else "predict_proba"
    outputs = getattr(model, method)(x, dropout_samples=1).reshape(1000, -1)[:, -1]
    assert len(np.unique(outputs)) > (950 if dtype == "float32" else 999)
    for n_jobs in (2, 3, None):
        model.set_params(n_jobs=n_jobs)
        again = getattr(model, method)(x, dropout_samples=1).reshape(1000, -1)[:, -1]
        np.testing.assert_array_equal(again, outputs)
