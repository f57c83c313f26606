"""Weights of samples: what is refused, and that only their ratios count."""

import numpy as np
import pytest

from fastmlp import Dense, MLPClassifier, MLPRegressor, Network, find_learning_rate

rng = np.random.default_rng(0)
X = rng.normal(size=(100, 4))
NUMBERS = X[:, 0] + 0.1 * rng.normal(size=100)
LABELS = (NUMBERS > 0).astype(int)
SHORT = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fits(weight, dtype="float32"):
    """Calls that train with these weights, or score with them."""
    net = Network([Dense(1)], 4, random_state=0, dtype=dtype)
    for solver in ("adam", "sgd", "lbfgs"):
        for kind, y in ((MLPRegressor, NUMBERS), (MLPClassifier, LABELS)):
            model = kind(**SHORT, solver=solver, dtype=dtype)
            yield "sample_weight", lambda m=model, y=y: m.fit(X, y, sample_weight=weight)
    model = MLPRegressor(**SHORT, dtype=dtype)
    yield "sample_weight", lambda: model.partial_fit(X, NUMBERS, weight)
    yield "sample_weight", lambda: net.fit(X, NUMBERS, loss="mse", sample_weight=weight)
    yield "sample_weight", lambda: net.loss_and_gradients(X, NUMBERS, "mse", weight)
    yield (
        "sample_weight",
        lambda: net.fit(X, NUMBERS, loss="mse", validation_data=(X, NUMBERS, weight)),
    )
    yield "sample_weight", lambda: find_learning_rate(model, X, NUMBERS, weight)
    yield (
        "sample_weight_val",
        lambda: model.fit(X, NUMBERS, X_val=X, y_val=NUMBERS, sample_weight_val=weight),
    )


def wrong(*values):
    weight = np.ones(100)
    weight[: len(values)] = values
    return weight


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        (-np.ones(100), r"must not be negative.*Got -1 in row 0"),
        (np.where(np.arange(100) % 2, 1.0, -1.0), r"must not be negative"),
        (wrong(2.0, 0.0, -1e-9), r"must not be negative.*Got -1e-09 in row 2"),
        (np.zeros(100), r"Sample weights must contain at least one non-zero number"),
        (wrong(np.nan), r"contains NaN"),
        (wrong(np.inf), r"contains infinity"),
    ],
)
def test_what_is_refused_by_name(weight, match):
    for name, call in fits(weight):
        with pytest.raises(ValueError, match=match) as caught:
            call()
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(1e-40, "float32"), (1e38, "float32"), (1e-320, "float64"), (1e307, "float64")],
)
def test_sums_beyond_the_type_are_refused(size, dtype):
    for name, call in fits(np.full(100, size), dtype):
        with pytest.raises(ValueError, match=rf"{name}: the sum of the weights .*{dtype}"):
            call()


@pytest.mark.parametrize("solver", ["adam", "sgd", "adamw", "lbfgs"])
@pytest.mark.parametrize("size", [1e36, 1e-36, 2.0**60, 2.0**-60])
def test_extreme_weights_train_as_1_does(solver, size, dtype):
    for kind, y in ((MLPRegressor, NUMBERS), (MLPClassifier, LABELS)):
        model = kind(**SHORT, solver=solver, dtype=dtype)
        plain = model.fit(X, y, sample_weight=np.ones(100)).coefs_
        scaled = model.fit(X, y, sample_weight=np.full(100, size)).coefs_
        for a, b in zip(plain, scaled, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [1e36, 1e-36])
def test_extreme_weights_of_a_network(size, dtype):
    histories = []
    for weight in (1.0, size):
        net = Network([Dense(5, "tanh"), Dense(1)], 4, random_state=0, dtype=dtype)
        w = weight * (1 + np.arange(100) % 3)
        history = net.fit(
            X, NUMBERS, loss="mse", epochs=3, sample_weight=w, validation_data=(X, NUMBERS, w)
        )
        value, _ = net.loss_and_gradients(X, NUMBERS, "mse", w)
        histories.append([*history["loss"], *history["val_loss"], value])
    rtol = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(histories[1], histories[0], rtol=rtol)


def test_weights_of_very_different_sizes_count_within_their_batch():
    """Beside 1e30 the others are nothing in float32; in a batch of their own they are as good."""
    weight = np.repeat([1e30, 1e-8], 50)
    settings = SHORT | {"batch_size": 50, "shuffle": False, "alpha": 0}
    mixed = MLPRegressor(**settings).fit(X, NUMBERS, sample_weight=weight)
    plain = MLPRegressor(**settings).fit(X, NUMBERS)
    for a, b in zip(mixed.coefs_, plain.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_batch_without_weight_is_as_if_its_rows_were_not_there(solver, dropout, n_jobs):
    weight = np.repeat([0.0, 1.0, 0.0, 1.0], 25)
    settings = SHORT | {"batch_size": 25, "shuffle": False, "n_jobs": n_jobs}
    model = MLPClassifier(**settings, solver=solver, dropout=dropout)
    weighted = model.fit(X, LABELS, sample_weight=weight)
    kept = weight > 0
    rest = MLPClassifier(**settings, solver=solver, dropout=dropout).fit(X[kept], LABELS[kept])
    assert weighted.loss_curve_ == rest.loss_curve_
    np.testing.assert_array_equal(weighted.step_losses_, rest.step_losses_)
    for a, b in zip(weighted.coefs_, rest.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_range_test_leaves_out_rows_without_weight():
    weight = np.repeat([0.0, 1.0], 50)
    model = MLPClassifier((6,), batch_size=2, random_state=0)
    search = find_learning_rate(model, X, LABELS, sample_weight=weight)
    rest = find_learning_rate(model, X[50:], LABELS[50:])
    np.testing.assert_array_equal(search.losses, rest.losses)


def test_one_number_weighs_all_alike():
    one, many = (
        MLPRegressor(**SHORT).fit(X, NUMBERS, sample_weight=w) for w in (2.0, np.full(100, 2.0))
    )
    np.testing.assert_array_equal(one.coefs_[0], many.coefs_[0])
