"""One stopping rule, which knows apart what stops a fit and which weights are kept, and records of
what was kept, over warm starts as well."""

import warnings

import numpy as np
import pytest

from fastmlp import Dense, MLPClassifier, MLPRegressor, Network, from_sklearn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(1)
X = rng.normal(size=(400, 5))
Y = 2 * X[:, 0] + X[:, 1]
LABELS = (X[:, 0] > 0).astype(int)


def early(**settings):
    return MLPRegressor(
        hidden_layer_sizes=(20,),
        max_iter=60,
        early_stopping=True,
        warm_start=True,
        n_iter_no_change=5,
        learning_rate_init=0.01,
        random_state=0,
        **settings,
    )


def test_a_warm_start_that_finds_nothing_better_keeps_what_was_best():
    model = early().fit(X, Y)
    kept, score, epoch = model.coefs_, model.best_validation_score_, model.best_epoch_
    model.set_params(learning_rate_init=5.0).fit(X, Y)
    assert all((a == b).all() for a, b in zip(kept, model.coefs_, strict=True))
    assert (model.best_validation_score_, model.best_epoch_) == (score, epoch)
    scores = model.validation_scores_
    assert score == np.nanmax(scores) == scores[epoch - 1]


def test_a_warm_start_that_finds_something_better_says_so():
    model = early().set_params(max_iter=3).fit(X, Y)
    before = model.best_validation_score_
    model.fit(X, Y)
    scores = model.validation_scores_
    assert len(scores) == 6
    assert model.best_validation_score_ == max(scores) > before
    assert model.best_epoch_ == np.argmax(scores) + 1 > 3


@pytest.mark.parametrize("given", ["coef_init", "coefs_"])
def test_other_weights_to_start_from_are_not_those_with_the_best_score(given):
    model = early().fit(X, Y)
    wild = [100 * w for w in model.coefs_]
    if given == "coefs_":
        model.coefs_ = wild
    start = {"coef_init": wild} if given == "coef_init" else {}
    model.set_params(max_iter=2, learning_rate_init=1e-4).fit(X, Y, **start)
    assert model.best_validation_score_ == max(model.validation_scores_[-model.n_iter_ :])
    assert model.best_epoch_ > len(model.validation_scores_) - model.n_iter_


def test_records_are_those_of_the_weights_kept():
    """Scored once more, they have the score that is recorded."""
    model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=30, warm_start=True, random_state=0)
    for rate in (0.02, 0.5, 3.0, 1e-3):
        model.set_params(learning_rate_init=rate).fit(X, Y, X_val=X[:90], y_val=Y[:90])
        assert model.score(X[:90], Y[:90]) == pytest.approx(model.best_validation_score_, abs=1e-5)
        scores = model.validation_scores_
        assert model.best_validation_score_ == scores[model.best_epoch_ - 1]


def test_a_validation_set_does_not_change_the_course():
    """The rule looks at the training loss, and goes on over warm starts, as without such a set."""
    settings = {
        "max_iter": 30,
        "warm_start": True,
        "tol": 0.01,
        "n_iter_no_change": 3,
        "random_state": 0,
        "learning_rate_init": 0.003,
    }
    plain, validated, mixed = (MLPClassifier((8,), **settings) for _ in range(3))
    for i in range(4):
        plain.fit(X, LABELS)
        validated.fit(X, LABELS, X_val=X[:50], y_val=LABELS[:50])
        mixed.fit(X, LABELS, **({"X_val": X[:50], "y_val": LABELS[:50]} if i % 2 else {}))
        assert plain.n_iter_ == validated.n_iter_ == mixed.n_iter_
        assert plain.stopped_ == validated.stopped_ == mixed.stopped_
    assert plain.loss_curve_[:5] == validated.loss_curve_[:5]
    assert plain.n_iter_ == 1


@pytest.mark.parametrize("validated", [False, True])
def test_the_adaptive_rate_goes_by_the_training_loss_with_a_validation_set(validated):
    model = MLPClassifier(
        (8,),
        solver="sgd",
        learning_rate="adaptive",
        tol=0.05,
        n_iter_no_change=2,
        max_iter=80,
        random_state=0,
    )
    extra = {"X_val": X[:50], "y_val": LABELS[:50]} if validated else {}
    model.fit(X, LABELS, **extra)
    assert model.stopped_ == "rate_too_small"
    rates = np.unique(model.history_["lr"])
    np.testing.assert_allclose(rates[1:] / rates[:-1], 5)


@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw", "nadam", "rmsprop", "adagrad"])
def test_a_plateau_cuts_the_rate_of_every_solver(solver):
    settings = {"solver": solver, "tol": 0.05, "n_iter_no_change": 2, "max_iter": 90}
    settings |= {"hidden_layer_sizes": (8,), "random_state": 0, "learning_rate_init": 1e-2}
    model = MLPClassifier(**settings, learning_rate="plateau").fit(X, LABELS)
    rates = np.array(model.history_["lr"])
    cuts = rates[:-1] / rates[1:]
    assert model.stopped_ == "rate_too_small"
    np.testing.assert_allclose(cuts[cuts != 1], 5)
    assert rates[0] == 1e-2
    assert 1e-6 < rates[-1] * 5 <= 1e-5 * 5
    before = np.flatnonzero(cuts != 1)[0]  # until then it is the same fit
    plain = MLPClassifier(**settings | {"max_iter": int(before)}).fit(X, LABELS)
    assert plain.loss_curve_ == model.loss_curve_[:before]
    if solver == "sgd":
        theirs = MLPClassifier(**settings, learning_rate="adaptive").fit(X, LABELS)
        assert theirs.loss_curve_ == model.loss_curve_


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_plateau_with_early_stopping_and_weights(early_stopping):
    model = MLPRegressor(
        hidden_layer_sizes=(8,),
        learning_rate="plateau",
        early_stopping=early_stopping,
        n_iter_no_change=3,
        max_iter=300,
        tol=1e-3,
        random_state=0,
    ).fit(X, X[:, 0], sample_weight=np.linspace(0.5, 2, len(X)))
    assert model.stopped_ == "rate_too_small"
    assert len(set(model.history_["lr"])) > 2


# Scores that are none


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_score_that_is_never_a_number(early_stopping):
    model = MLPClassifier(
        (6,),
        max_iter=30,
        random_state=0,
        early_stopping=early_stopping,
        scoring=lambda model, X, y: np.nan,
    )
    with pytest.warns(
        UserWarning, match=r"NaN or -infinity in every epoch.*weights are those of the last"
    ):
        model.fit(X, LABELS, X_val=X, y_val=LABELS)
    assert model.best_epoch_ is None
    assert model.best_validation_score_ is None
    assert model.n_iter_ == (11 if early_stopping else 30)
    same = MLPClassifier((6,), max_iter=model.n_iter_, random_state=0).fit(X, LABELS)
    np.testing.assert_array_equal(model.coefs_[0], same.coefs_[0])


@pytest.mark.parametrize("score", [-np.inf, np.inf])
def test_infinite_scores_are_no_improvement(score):
    model = MLPClassifier(
        (6,), max_iter=30, early_stopping=True, n_iter_no_change=3, scoring=lambda m, x, y: score
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, LABELS)
    assert (model.stopped_, model.n_iter_) == ("no_improvement", 4)


def test_a_score_that_is_a_number_now_and_then():
    scores = iter([np.nan, 0.5, np.nan, 0.7, 0.6, np.nan])
    model = MLPClassifier((6,), max_iter=6, random_state=0, scoring=lambda m, X, y: next(scores))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, LABELS, X_val=X, y_val=LABELS)
    assert (model.best_epoch_, model.best_validation_score_) == (4, 0.7)
    assert not [w for w in caught if "NaN" in str(w.message)]
    same = MLPClassifier((6,), max_iter=4, random_state=0).fit(X, LABELS)
    np.testing.assert_array_equal(model.coefs_[0], same.coefs_[0])


def test_a_network_scores_each_call_by_itself():
    """Its validation set need not be that of the call before."""
    t = Y.reshape(-1, 1)
    net = Network([Dense(8, "tanh"), Dense(1)], 5, random_state=0)
    how = {"loss": "mse", "epochs": 5, "learning_rate": 0.01}
    net.fit(X, t, **how, validation_data=(X[:50], t[:50]))
    before = net.params[0][0]
    worse = net.fit(X, t, **how, validation_data=(X[50:], t[50:] + 100.0))
    assert (net.params[0][0] != before).any()
    value, _ = net.loss_and_gradients(X[50:], t[50:] + 100.0, "mse")
    assert value == pytest.approx(min(worse["val_loss"]), rel=1e-5)


def test_from_scikit_learn_with_scores_that_are_none():
    from sklearn.neural_network import MLPClassifier as Theirs

    theirs = Theirs((4,), early_stopping=True, max_iter=5, random_state=0).fit(X, LABELS)
    theirs.validation_scores_ = [np.nan, 0.5, 0.25]
    assert from_sklearn(theirs).best_epoch_ == 2
    theirs.validation_scores_ = [np.nan] * 3
    assert from_sklearn(theirs).best_epoch_ is None


# L-BFGS, which works in float64


def far_targets():
    x = np.random.default_rng(0).normal(size=(400, 3))
    return x, x[:, 0] - 0.5 * x[:, 1] + 1e9


def test_the_loss_of_lbfgs_is_that_of_the_weights_kept():
    x, y = far_targets()
    settings = {
        "hidden_layer_sizes": (),
        "solver": "lbfgs",
        "max_iter": 5000,
        "tol": 1e-12,
        "alpha": 0,
        "random_state": 0,
    }
    model = MLPRegressor(**settings)
    with pytest.warns(match=r"'lbfgs' found .* in float64; in dtype='float32' they have 0.58"):
        model.fit(x, y)
    assert model.loss_ == pytest.approx(np.mean((model.predict(x) - y) ** 2) / 2, rel=1e-9)
    wide = MLPRegressor(**settings, dtype="float64").fit(x, y)
    assert wide.score(x, y) > 0.999
    assert wide.loss_ < 1e-10


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_lbfgs_with_weights_and_penalty(weighted):
    w = 1.0 + np.arange(400) % 3 if weighted else None
    settings = {"hidden_layer_sizes": (6,), "solver": "lbfgs", "alpha": 0.5, "random_state": 0}
    for model, t in ((MLPRegressor(**settings), Y), (MLPClassifier(**settings), LABELS)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", category=UserWarning)
            model.fit(X, t, sample_weight=w)
        assert model.loss_ == pytest.approx(model.loss_curve_[-1], rel=1e-5)
