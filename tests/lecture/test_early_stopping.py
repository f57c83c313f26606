"""Early stopping: the weights kept are those at the minimum of the validation error."""

import numpy as np
import pytest

from fastmlp import Dense, MLPClassifier, MLPRegressor, Network

pytestmark = [
    pytest.mark.usefixtures("use_target"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

EPOCHS = 300


@pytest.fixture
def curve():
    """Few samples of a noisy sine for a large network, and many to see the error by."""
    rng = np.random.default_rng(5)
    x = rng.uniform(-1, 1, size=(220, 1))
    t = np.sin(3 * x[:, 0]) + 0.4 * rng.normal(size=220)
    return (x[:20], t[:20]), (x[20:], t[20:])


@pytest.fixture
def clouds():
    """Two clouds that overlap, whose few training samples a large network can learn by heart."""
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(230, 2)), rng.integers(0, 2, 230)
    x[:, 0] += 1.2 * y
    return (x[:30], y[:30]), (x[30:], y[30:])


def overfits(validation):
    """Whether the error has its minimum well inside, and is clearly larger at the end."""
    best = int(np.argmin(validation))
    return 2 < best < len(validation) - 20 and validation[-1] > 1.05 * validation[best]


HOW = {
    "loss": "mse",
    "learning_rate": 0.02,
    "batch_size": 10,
}


def network(dtype):
    layers = [Dense(64, "tanh"), Dense(32, "tanh"), Dense(1)]
    return Network(layers, 1, dtype=dtype, random_state=0, n_jobs=1)


def test_network_keeps_the_weights_at_the_minimum(curve, dtype):
    train, validation = curve
    net = network(dtype)
    history = net.fit(*train, **HOW, epochs=EPOCHS, validation_data=validation)
    errors = np.array(history["val_loss"])
    assert overfits(errors)
    assert history["loss"][-1] < 0.7 * history["loss"][errors.argmin()]
    kept, _ = net.loss_and_gradients(*validation, "mse")
    assert kept == pytest.approx(errors.min(), rel=1e-5 if dtype == "float32" else 1e-12)


def test_they_are_the_weights_of_that_epoch(curve, dtype):
    """A network trained for just as many epochs has the same weights, bit for bit."""
    train, validation = curve
    stopped, shorter = network(dtype), network(dtype)
    history = stopped.fit(*train, **HOW, epochs=EPOCHS, validation_data=validation)
    best = int(np.argmin(history["val_loss"])) + 1
    short = shorter.fit(*train, **HOW, epochs=best)
    assert short["loss"] == history["loss"][:best]
    for pair, same in zip(stopped.params, shorter.params, strict=True):
        for a, b in zip(pair, same, strict=True):
            np.testing.assert_array_equal(a, b)


def test_without_a_validation_set_the_last_weights_stay(curve):
    train, validation = curve
    watched, plain = network("float64"), network("float64")
    history = watched.fit(*train, **HOW, epochs=EPOCHS, validation_data=validation)
    assert plain.fit(*train, **HOW, epochs=EPOCHS)["loss"] == history["loss"]
    last, _ = plain.loss_and_gradients(*validation, "mse")
    assert last == pytest.approx(history["val_loss"][-1], rel=1e-12)
    assert last > min(history["val_loss"])


ESTIMATOR = {
    "hidden_layer_sizes": (64, 32),
    "activation": "tanh",
    "learning_rate_init": 0.02,
    "batch_size": 10,
    "alpha": 0.0,
    "max_iter": EPOCHS,
    "scoring": "loss",
    "random_state": 0,
    "dtype": "float64",
    "n_jobs": 1,
}


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_estimators_stop_and_keep_the_best(kind, curve, clouds):
    train, (x, y) = clouds if kind is MLPClassifier else curve
    patience = 15
    model = kind(**ESTIMATOR, early_stopping=True, n_iter_no_change=patience)
    model.fit(*train, X_val=x, y_val=y)
    errors = np.array(model.history_["val_loss"])
    assert model.stopped_ == "no_improvement"
    assert model.n_iter_ == len(errors) < EPOCHS
    assert model.best_epoch_ == errors.argmin() + 1
    assert model.best_validation_score_ == -errors.min()
    # Improvements smaller than tol don't count, so the best epoch may lie within the patience.
    assert model.n_iter_ - model.best_epoch_ <= patience + 1
    counting = [0]
    for epoch, error in enumerate(errors):
        better = epoch == 0 or error <= errors[:epoch].min() - model.tol
        counting.append(0 if better else counting[-1] + 1)
    assert counting[-1] == patience + 1
    assert max(counting[:-1]) <= patience
    if kind is MLPClassifier:
        proba = model.predict_proba(x)[np.arange(len(y)), y]
        kept = -np.log(proba).mean()
    else:
        kept = ((model.predict(x) - y) ** 2).mean() / 2
    assert kept == pytest.approx(errors.min(), rel=1e-9)
    same = kind(**ESTIMATOR | {"max_iter": model.best_epoch_}, n_iter_no_change=np.inf).fit(*train)
    for a, b in zip(model.coefs_, same.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_it_generalises_better_than_training_to_the_end(clouds):
    train, (x, y) = clouds
    early = MLPClassifier(**ESTIMATOR, early_stopping=True).fit(
        *train, X_val=x[:100], y_val=y[:100]
    )
    late = MLPClassifier(**ESTIMATOR, n_iter_no_change=np.inf).fit(*train)
    losses = [
        -np.log(model.predict_proba(x[100:])[np.arange(100), y[100:]]).mean()
        for model in (early, late)
    ]
    assert losses[0] < 0.5 * losses[1]
    assert late.score(*train) == 1


def test_a_share_of_the_samples_is_set_aside(clouds):
    _, (x, y) = clouds
    model = MLPClassifier(**ESTIMATOR, early_stopping=True, validation_fraction=0.25).fit(x, y)
    assert model.t_ == model.n_iter_ * 150
    assert model.best_epoch_ == np.argmax(model.validation_scores_) + 1
