"""Losses, label smoothing, clipping, schedules and activations with parameters, by the API."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from samples import KINDS, SMALL, classes, labels, numbers
from sklearn.base import clone
from sklearn.metrics import mean_pinball_loss, roc_auc_score
from sklearn.neural_network import MLPRegressor as SklearnRegressor

from fastmlp import Dense, MLPClassifier, MLPRegressor, Network

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

LONG = SMALL | {"max_iter": 60}


@pytest.mark.parametrize("loss", ["focal", "focal(1.5)", "focal(0)", "hinge"])
@pytest.mark.parametrize("data", [lambda: classes(k=2), classes, labels])
def test_classifiers_learn_by_other_losses(loss, data):
    x, y = data()
    model = MLPClassifier(**LONG, loss=loss).fit(x, y)
    assert model.score(x, y) > (0.8 if y.ndim == 1 else 0.6)
    assert hasattr(model, "predict_proba") == (loss != "hinge")


def test_focal_without_its_factor_is_the_log_loss():
    x, y = classes()
    plain, focal = (
        MLPClassifier(**SMALL, dtype="float64", loss=loss).fit(x, y)
        for loss in ("log_loss", "focal(0)")
    )
    np.testing.assert_allclose(focal.loss_curve_, plain.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("data", [classes, lambda: classes(k=2), labels])
def test_margins(data):
    x, y = data()
    model = MLPClassifier(**LONG, loss="hinge").fit(x, y)
    margins, outputs = model.decision_function(x), model.forward(x)[1][-1]
    np.testing.assert_array_equal(margins, outputs.ravel() if outputs.shape[1] == 1 else outputs)
    if y.ndim == 2:
        predicted = margins > 0
    elif margins.ndim == 2:
        predicted = model.classes_[margins.argmax(axis=1)]
    else:
        predicted = model.classes_[(margins > 0).astype(int)]
    np.testing.assert_array_equal(predicted, model.predict(x))
    with pytest.raises(AttributeError, match=r"decision_function"):
        MLPClassifier(**LONG).fit(x, y).decision_function(x)


def test_margins_are_scored_while_training():
    x, y = classes(k=2)
    model = MLPClassifier(**SMALL, loss="hinge", scoring="roc_auc").fit(x, y, X_val=x, y_val=y)
    assert model.best_validation_score_ == roc_auc_score(y, model.decision_function(x))


def test_hinge_is_scored_by_its_margins():
    x, y = classes(k=2)
    model = MLPClassifier(**LONG, loss="hinge").fit(x, y, X_val=x, y_val=y)
    assert model.best_validation_score_ == pytest.approx(model.score(x, y))
    margin = model.forward(x)[1][-1].ravel()
    np.testing.assert_array_equal(model.predict(x), model.classes_[(margin > 0).astype(int)])


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_poisson_agrees_with_scikit_learn(solver):
    x, _ = numbers()
    y = np.random.default_rng(0).poisson(np.exp(x[:, 0])).astype(float)
    if "loss" not in SklearnRegressor().get_params():
        pytest.skip("this scikit-learn has no loss='poisson'")
    settings = SMALL | {"loss": "poisson", "solver": solver, "shuffle": False}
    ours = MLPRegressor(**settings, dtype="float64").fit(x, y)
    theirs = SklearnRegressor(**settings).fit(x, y)
    assert ours.out_activation_ == theirs.out_activation_ == "exp"
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), rtol=1e-5)
    assert (ours.predict(x) > 0).all()


def test_poisson_refuses_negative_targets():
    x, y = numbers()
    with pytest.raises(ValueError, match=r"y must hold numbers of at least 0 for loss='poisson'"):
        MLPRegressor(loss="poisson").fit(x, y - 100)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_quantiles_split_the_targets(quantile):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 1))
    y = x[:, 0] + rng.normal(size=2000)
    model = MLPRegressor(f"quantile({quantile})", (), learning_rate_init=0.01, max_iter=200)
    model.set_params(random_state=0, learning_rate="cosine").fit(x, y)
    assert (y < model.predict(x)).mean() == pytest.approx(quantile, abs=0.02)
    pinball = mean_pinball_loss(y, model.predict(x), alpha=quantile)
    assert model.loss_ == pytest.approx(pinball, rel=0.05)


def test_huber_hardly_sees_outliers():
    x, y = numbers()
    spoilt = y.copy()
    spoilt[::10] += 100
    errors = [
        np.median(np.abs(MLPRegressor(**LONG, loss=loss).fit(x, spoilt).predict(x) - y))
        for loss in ("huber(0.5)", "squared_error")
    ]
    assert errors[0] < errors[1] / 2


@pytest.mark.parametrize(
    ("estimator", "data", "loss", "match"),
    [
        (MLPClassifier, classes, "hing", r"loss.*'log_loss', 'focal', 'hinge'.*'hing'"),
        (MLPClassifier, classes, "focal(-1)", r"gamma must be"),
        (MLPClassifier, classes, "log_loss(2)", r"takes no parameter"),
        (MLPClassifier, classes, "focal(delta=2)", r"gamma"),
        (MLPRegressor, numbers, "huber(x)", r"delta must be"),
        (MLPRegressor, numbers, "huber(0)", r"delta must be above 0"),
        (MLPRegressor, numbers, "quantile(1.5)", r"between 0 and 1"),
    ],
)
def test_bad_losses(estimator, data, loss, match):
    with pytest.raises(ValueError, match=match):
        estimator(loss=loss).fit(*data())


def test_label_smoothing_makes_less_sure():
    x, y = classes()
    sure, smooth = (
        MLPClassifier(**LONG, label_smoothing=s).fit(x, y).predict_proba(x).max(axis=1).mean()
        for s in (0.0, 0.3)
    )
    assert smooth < sure - 0.05
    with pytest.raises(ValueError, match=r"label_smoothing.*hinge"):
        MLPClassifier(loss="hinge", label_smoothing=0.1).fit(x, y)


def test_clipped_steps_are_short():
    x, y = numbers()
    settings = SMALL | {"max_iter": 1, "batch_size": "full", "solver": "sgd", "momentum": 0.0}
    start = MLPRegressor(**settings | {"learning_rate_init": 1e-30}).fit(x, 1000 * y)
    model = MLPRegressor(**settings, clip_norm=0.5, alpha=0).fit(x, 1000 * y)
    moved = [
        a - b
        for a, b in zip(
            (*model.coefs_, *model.intercepts_), (*start.coefs_, *start.intercepts_), strict=True
        )
    ]
    norm = math.sqrt(sum(float((m**2).sum()) for m in moved))
    assert norm == pytest.approx(0.5 * 0.02, rel=1e-4)


@pytest.mark.parametrize("solver", ["adam", "sgd", "adamw"])
@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "exponential", "step"])
def test_schedules(schedule, solver):
    settings = LONG | {"learning_rate": schedule, "tol": 0.0, "n_iter_no_change": np.inf}
    model = MLPClassifier(**settings, solver=solver).fit(*classes())
    rates = np.array(model.history_["lr"]) / 0.02
    ends = {"cosine": (1, 0.01), "one_cycle": (0.04, 4e-6), "exponential": (1, 0.01)}
    np.testing.assert_allclose(rates[[0, -1]], ends.get(schedule, (1, 0.01)), rtol=1e-9)
    assert rates.max() == pytest.approx(1, abs=0.02)
    if schedule == "step":
        np.testing.assert_allclose(np.unique(rates), [0.01, 0.1, 1])
    falling = rates[np.argmax(rates) :]
    assert (np.diff(falling) <= 0).all()


def test_a_function_as_schedule():
    x, y = classes()
    model = MLPClassifier(**SMALL, learning_rate=lambda epoch: 0.1 / (epoch + 1)).fit(x, y)
    np.testing.assert_allclose(model.history_["lr"], 0.1 / np.arange(1, 16))
    steps = MLPClassifier(**SMALL, learning_rate=lambda epoch: 0.1 / (epoch + 1))
    for _ in range(3):
        steps.partial_fit(x, y, classes=np.unique(y))
    np.testing.assert_allclose(steps.history_["lr"], 0.1 / np.arange(1, 4))
    with pytest.raises(ValueError, match=r"learning_rate\(0\).*nan"):
        MLPClassifier(**SMALL, learning_rate=lambda epoch: math.nan).fit(x, y)


def test_every_step_has_its_loss():
    x, y = classes()
    model = MLPClassifier(**SMALL, batch_size=30).fit(x, y)
    assert model.step_losses_.shape == (15 * 4,)
    np.testing.assert_allclose(model.step_losses_.reshape(15, 4).mean(axis=1), model.loss_curve_)


@pytest.mark.parametrize(
    "activation",
    ["leaky_relu(0.2)", "leaky_relu(slope=0.2)", "prelu", "gelu", [[("relu", 5), ("tanh", 7)]]],
)
def test_kinds_of_activations(activation):
    x, y = classes()
    model = MLPClassifier(**LONG, activation=activation).fit(x, y)
    assert model.score(x, y) > 0.85
    assert [a.size for a in model.slopes_] == [12 if activation == "prelu" else 0, 0]
    again = clone(model).fit(x, y)
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))


def test_learned_slopes_are_part_of_the_model():
    x, y = classes()
    model = MLPClassifier(**LONG, activation="prelu").fit(x, y)
    assert (model.slopes_[0] != 0.25).all()
    before = model.predict_proba(x)
    model.slopes_ = [np.zeros(12), np.empty(0)]
    assert not np.allclose(model.predict_proba(x), before)
    lbfgs = MLPClassifier(**LONG, activation="prelu", solver="lbfgs").fit(x, y)
    assert (lbfgs.slopes_[0] != 0.25).any()
    warm = MLPClassifier(**LONG, warm_start=True).fit(x, y).set_params(activation="prelu")
    with pytest.raises(ValueError, match=r"activations learn"):
        warm.fit(x, y)


@pytest.mark.parametrize(
    ("activation", "match"),
    [
        ("relu(0.2)", r"'relu' takes no parameter"),
        ("leaky_relu(-1)", r"slope must be"),
        ("leaky_relu(alpha=1)", r"'slope'"),
        ([[("relu", 5), ("tanh", 6)]], r"add up to 12"),
        ([[("relu", 5), ("prelu", 7)]], r"prelu"),
        ([[("relu", 12.0)]], r"pairs"),
    ],
)
def test_bad_activations(activation, match):
    with pytest.raises(ValueError, match=match):
        MLPClassifier(**SMALL, activation=activation).fit(*classes())


@pytest.mark.parametrize(("estimator", "data"), KINDS)
@pytest.mark.parametrize("make", [sp.csr_array, sp.csr_matrix, sp.csc_array, sp.coo_matrix])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_inputs(estimator, data, make, solver):
    x, y = data()
    x = np.where(np.abs(x) > 0.7, x, 0)
    sparse = make(x)
    dense_model = estimator(**SMALL, solver=solver).fit(x, y)
    model = estimator(**SMALL, solver=solver).fit(sparse, y)
    np.testing.assert_array_equal(model.predict(sparse), dense_model.predict(x))
    assert model.loss_curve_ == dense_model.loss_curve_
    if solver == "adam":
        early = estimator(**SMALL, early_stopping=True).fit(sparse, y)
        assert early.validation_scores_ is not None


@pytest.mark.parametrize(
    ("output", "ours", "theirs"),
    [
        ("softmax", "log_loss", "cross_entropy"),
        ("logistic", "log_loss", "binary_cross_entropy"),
        ("log_softmax", "log_loss", "nll"),
        ("logistic", "focal(1.5)", "binary_focal(1.5)"),
        ("identity", "absolute_error", "mae"),
    ],
)
def test_a_network_knows_the_names_of_the_estimators(output, ours, theirs, rng):
    x, t = rng.normal(size=(12, 4)), rng.integers(0, 2, (12, 3)).astype(float)
    network = Network([Dense(5, "tanh"), Dense(3, output)], 4, random_state=0, dtype="float64")
    value, gradients = network.loss_and_gradients(x, t, ours)
    value_again, again = network.loss_and_gradients(x, t, theirs)
    assert value == value_again
    for one, other in zip(gradients, again, strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_one_loss_under_two_names():
    x, y = numbers()
    one, other = (MLPRegressor(name, **SMALL).fit(x, y) for name in ("absolute_error", "mae"))
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])
