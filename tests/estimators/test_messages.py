"""Errors name the argument, its value and what is allowed, in the user's words: no message of the
binding gets through, misspelt names get a hint, and the class is the one that was called."""

import time

import numpy as np
import pytest

from fastmlp import (
    Activation,
    Dense,
    Dropout,
    MLPClassifier,
    MLPRegressor,
    Network,
    Perceptron,
    callbacks,
    find_learning_rate,
    graph,
    set_target,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X = np.random.default_rng(0).normal(size=(60, 3))
Y = X[:, 0]
LABELS = (Y > 0).astype(int)
HUGE = 2**63
NET = Network([Dense(1)], 3)
WIDE = graph.variable([1.0, 0.0], dtype="float32")


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: MLPRegressor(max_iter=HUGE).fit(X, Y), r"'max_iter'.*at most 2\*\*63 - 1"),
        (lambda: MLPRegressor(batch_size=HUGE).fit(X, Y), r"'batch_size'.*at most 2\*\*63 - 1"),
        (lambda: MLPRegressor(n_iter_no_change=HUGE).fit(X, Y), r"'n_iter_no_change'.*2\*\*63"),
        (lambda: MLPRegressor(solver="lbfgs", max_fun=HUGE).fit(X, Y), r"'max_fun'.*2\*\*63 - 1"),
        (lambda: MLPRegressor(hidden_layer_sizes=HUGE).fit(X, Y), r"hidden_layer_sizes.*922337"),
        (lambda: MLPRegressor(hidden_layer_sizes=(4, HUGE)).fit(X, Y), r"hidden_layer_sizes.*< 2"),
        (lambda: MLPRegressor(n_jobs=2**31).fit(X, Y), r"n_jobs.*2\*\*31 - 1; got 2147483648"),
        (lambda: MLPRegressor(n_jobs=-(2**40)).fit(X, Y), r"n_jobs.*2\*\*31 - 1; got -1099511627"),
        (lambda: MLPRegressor(max_iter=1).fit(X, Y).predict(X, dropout_samples=0), r"dropout_sam"),
        (lambda: Perceptron(max_iter=HUGE).fit(X, LABELS), r"'max_iter'.*Perceptron.*2\*\*63 - 1"),
        (lambda: Network([Dense(HUGE)], 3), r"units must be at most 2\*\*63 - 1; got 922337"),
        (lambda: Network([Dense(1)], HUGE), r"n_features must be at most 2\*\*63 - 1"),
        (lambda: Network([Dense(1)], 3, n_jobs=2**31), r"n_jobs"),
        (lambda: NET.fit(X, Y, loss="mse", epochs=HUGE), r"epochs must be at most 2\*\*63 - 1"),
        (lambda: NET.fit(X, Y, loss="mse", batch_size=HUGE), r"batch_size must be 'full' or at mo"),
        (lambda: NET.fit(X, Y, loss="mse", label_smoothing="some"), r"label_smoothing.*'some'"),
        (lambda: NET.fit(X, Y, loss="mse", clip_norm="short"), r"clip_norm .*got 'short'"),
        (lambda: NET.fit(X, Y, loss="mse", clip_norm=-1.0), r"clip_norm .*got -1.0"),
        (lambda: NET.fit(X, Y, loss="mse", learning_rate="fast"), r"learning_rate .*got 'fast'"),
        (lambda: graph.variable(1.0, "\ud800"), r"name must be text.*ud800"),
        (lambda: setattr(graph.variable(1.0), "name", "\ud800"), r"name must be text.*ud800"),
        (lambda: graph.variable(1.0).forward(n_jobs=2**31), r"n_jobs"),
        (lambda: graph.sum(graph.variable([1.0]), axis=2**40), r"no axis 1099511627776"),
        (lambda: graph.dropout(graph.variable([1.0]), 2.0), r"rate must be in \[0, 1\)"),
        (lambda: callbacks.EarlyStopping(patience=HUGE), r"patience must be at most 2\*\*63 - 1"),
        (lambda: callbacks.Checkpoint("x", every=HUGE), r"every must be at most 2\*\*63 - 1"),
        (lambda: find_learning_rate(MLPRegressor(), X, Y, steps=HUGE), r"steps must be"),
        (lambda: MLPRegressor(max_iter=1).fit(X, Y).predict(X, dropout_samples=HUGE), r"dropout_"),
        (lambda: set_target(1), r"name must be that of a target, a str; got 1"),
        (lambda: setattr(NET, "params", 3), r"params must be a list of pairs"),
        (lambda: Network([Dense(3, [3])], 2), r"activation must be a name or a list of pairs"),
        (lambda: Network([Dense(1, l1=1e300)], 3), r"l1=1e\+300 is out of the range of dtype"),
        (lambda: MLPRegressor(alpha=1e300).fit(X, Y), r"alpha must hold numbers of at most 1e\+30"),
        (lambda: MLPRegressor(loss="huber(1e300)").fit(X, Y), r"delta must be above 0, from 1e-30"),
        (lambda: MLPRegressor(loss="huber(1e-60)").fit(X, Y), r"delta must be above 0, from 1e-30"),
        (lambda: MLPRegressor(loss="quantile(1e-60)").fit(X, Y), r"quantile must be between 0"),
        (lambda: MLPClassifier(loss="focal(1e300)").fit(X, LABELS), r"gamma must be .*at most 1e"),
        (lambda: MLPClassifier(activation="elu(1e39)").fit(X, LABELS), r"alpha must be .*at most"),
        (lambda: graph.leaky_relu(graph.variable(1.0), slope=1e300), r"slope must be .*at most 1e"),
        (lambda: graph.Optimizer([WIDE], epsilon=1e-300), r"epsilon=1e-300 is out of the range"),
        (lambda: graph.Optimizer([WIDE], learning_rate=1e300), r"learning_rate=1e\+300 is out of"),
        (lambda: graph.Optimizer([WIDE], l2=1e300), r"l2=1e\+300 is out of the range of"),
        (lambda: graph.Optimizer([WIDE], learning_rate="fast"), r"learning_rate .*got 'fast'"),
        (lambda: NET.fit(X, Y, loss="mse", validation_data=(X, Y), monitor="accuracy"), r"'accura"),
        (
            lambda: NET.loss_and_gradients(X, np.full(60, 1e30), "mse"),
            r"The loss is inf.*too lar",
        ),
    ],
)
def test_what_is_out_of_range_is_named(call, match):
    with pytest.raises(ValueError, match=match) as caught:
        call()
    assert "incompatible" not in str(caught.value)


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "step", lambda epoch: 0.01])
def test_schedules_make_their_rates_as_they_are_needed(schedule):
    model = MLPRegressor(
        hidden_layer_sizes=(4,),
        max_iter=10**12,
        learning_rate=schedule,
        callbacks=lambda end: end.epoch == 3,
    )
    begin = time.perf_counter()
    model.fit(X, Y)
    assert time.perf_counter() - begin < 20  # a list of so many rates would take days
    assert model.n_iter_ == 3


def test_a_wrong_rate_is_found_when_it_comes():
    rates = [0.1, 0.01, float("nan")]
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=9, learning_rate=lambda e: rates[e])
    with pytest.raises(ValueError, match=r"learning_rate\(2\) must be a finite number >= 0"):
        model.fit(X, Y)
    assert not hasattr(model, "coefs_")


# Hints


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: MLPClassifier(activation="sigmoid").fit(X, LABELS), "logistic"),
        (lambda: MLPClassifier(activation="swish").fit(X, LABELS), "silu"),
        (lambda: MLPClassifier(activation="ReLU").fit(X, LABELS), "relu"),
        (lambda: MLPClassifier(activation="leaky-relu").fit(X, LABELS), "leaky_relu"),
        (lambda: MLPClassifier(activation="LeakyReLU").fit(X, LABELS), "leaky_relu"),
        (lambda: MLPClassifier(activation=["relu", "Tanh"]).fit(X, LABELS), None),
        (lambda: MLPClassifier((4,), ["Tanh"]).fit(X, LABELS), "tanh"),
        (lambda: MLPClassifier(loss="cross_entropy").fit(X, LABELS), "log_loss"),
        (lambda: MLPClassifier(solver="Adam").fit(X, LABELS), "adam"),
        (lambda: MLPClassifier(solver="sdg").fit(X, LABELS), "sgd"),
        (lambda: MLPClassifier(learning_rate="cosin").fit(X, LABELS), "cosine"),
        (lambda: MLPClassifier(penalty="elastic_net").fit(X, LABELS), "elasticnet"),
        (lambda: MLPClassifier(scoring="acuracy").fit(X, LABELS), "accuracy"),
        (lambda: MLPClassifier(dtype="Float32").fit(X, LABELS), "float32"),
        (lambda: MLPClassifier(init="he").fit(X, LABELS), None),
        (lambda: MLPRegressor(loss="mse").fit(X, Y), "squared_error"),
        (lambda: MLPRegressor(loss="pinball").fit(X, Y), "quantile"),
        (lambda: NET.fit(X, Y, loss="l1"), "mae"),
        (lambda: NET.fit(X, Y, loss="mse", optimizer="Adam"), "adam"),
        (lambda: Dense(3, "sigmoid") and Network([Dense(3, "sigmoid")], 2), "logistic"),
        (lambda: Activation("GELU"), "gelu"),
        (lambda: Dropout(0.5, mode="classical"), "classic"),
        (lambda: MLPClassifier(activation="zigzag").fit(X, LABELS), None),
    ],
)
def test_did_you_mean(call, hint):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is looked at below
        call()
    text = str(caught.value)
    assert text.endswith(f"Did you mean {hint!r}?") if hint else "Did you mean" not in text


class Renamed(MLPClassifier):
    """A user's own class."""


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, Renamed, Perceptron])
def test_unknown_arguments_are_refused_by_the_class_that_was_called(kind):
    name = kind.__name__
    with pytest.raises(TypeError, match=rf"^{name}.fit\(\) got an unexpected .*'weights'\.$"):
        kind().fit(X, LABELS, weights=None)
    with pytest.raises(TypeError, match=rf"^{name}.partial_fit\(\) got an unexpected .*'wei"):
        kind().partial_fit(X, LABELS, weights=None)
    if kind is not Perceptron:
        hint = r".*'eval_set'\. A validation set goes to X_val and y_val\.$"
        with pytest.raises(TypeError, match=rf"^{name}\.fit\(\){hint}"):
            kind().fit(X, LABELS, eval_set=[(X, LABELS)])


def test_a_fit_that_overflows_says_scikit_learns_sentence_too():
    wild = {"solver": "sgd", "learning_rate_init": 1e3, "momentum": 0.9, "max_iter": 50}
    for model, y in (
        (MLPRegressor(**wild), 1e6 * Y),
        (MLPClassifier(**wild, activation="identity", loss="hinge"), LABELS),
    ):
        with pytest.raises(
            ValueError, match=r"^Solver produced non-finite parameter weights\. The i"
        ):
            model.fit(1e6 * X, y)
    with pytest.raises(ValueError, match=r"epoch \d+, batch \d+.*lower learning_rate=1000"):
        Network([Dense(1)], 3).fit(1e6 * X, 1e6 * Y, loss="mse", optimizer="sgd", learning_rate=1e3)


# Numbers that are none in the network's type


@pytest.mark.parametrize("name", ["epsilon", "learning_rate_init", "clip_norm"])
def test_numbers_that_vanish_in_float32(name):
    with pytest.raises(ValueError, match=rf"{name}=1e-46 is out of the range of dtype='float32'"):
        MLPRegressor(**{name: 1e-46}).fit(X, Y)
    model = MLPRegressor(hidden_layer_sizes=(4,), dtype="float64", max_iter=2, **{name: 1e-46})
    assert np.isfinite(model.fit(X, Y).loss_)
    with pytest.raises(ValueError, match=rf"{name}=1e\+39 is out of the range of dtype='float32'"):
        MLPRegressor(**{name: 1e39}).fit(X, Y)


def test_a_network_needs_an_epsilon():
    net = Network([Dense(4, l2=0.1), Dense(1)], 3, random_state=0)
    for epsilon in (0.0, 1e-39, -1.0):
        with pytest.raises(ValueError, match=r"epsilon"):
            net.fit(X, Y, loss="mse", epsilon=epsilon)
    history = net.fit(X, Y, loss="mse", epochs=3, epsilon=1e-30)
    assert np.isfinite(history["loss"]).all()


def test_weights_that_the_last_step_made_infinite_are_found():
    """No loss follows that would show it; and the network is what it was, and of use."""
    net = Network([Dense(1)], 3, random_state=0)
    before = net.params[0][0]
    x, t = np.full((4, 3), 1e15), np.full(4, -1e15)
    with pytest.raises(ValueError, match="non-finite"):
        net.fit(x, t, loss="mae", optimizer="sgd", learning_rate=1e30, epochs=1, batch_size="full")
    np.testing.assert_array_equal(net.params[0][0], before)
    assert np.isfinite(net.fit(X, Y, loss="mse", epochs=2)["loss"]).all()


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_outputs_that_overflow_are_no_answer(kind):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 20))
    model = kind(hidden_layer_sizes=(), max_iter=3, random_state=0)
    model.fit(x, np.arange(60) % 3 if kind is MLPClassifier else x[:, 0])
    model.coefs_ = [np.full_like(model.coefs_[0], 0.5)]
    calls = [model.predict]
    calls += [model.predict_proba, model.predict_log_proba] if kind is MLPClassifier else []
    for call in calls:
        with pytest.raises(ValueError, match=r"outputs are NaN or infinite.*too large.*scale"):
            call(np.full((1, 20), 3e38))
