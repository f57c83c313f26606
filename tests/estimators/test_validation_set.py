"""A validation set of one's own, and `scoring`: what is scored, what stops, which weights stay."""

import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import sklearn
from reference import LOSSES
from samples import KINDS, SMALL, classes, labels, numbers
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, log_loss
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

LONG = SMALL | {"max_iter": 400}


def parts(data):
    x, y = data()
    return (x[:80], y[:80]), {"X_val": x[80:], "y_val": y[80:]}


def stops_after(scores, tol, patience):
    """The epoch in which scikit-learn's rule ends training; None if it goes on."""
    best, bad = -np.inf, 0
    for epoch, score in enumerate(scores, 1):
        bad = 0 if score >= best + tol else bad + 1
        best = max(best, score)
        if bad > patience:
            return epoch
    return None


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_the_weights_of_the_best_epoch_are_kept(kind, data, early_stopping):
    train, val = parts(data)
    model = kind(**LONG, early_stopping=early_stopping, dtype="float64").fit(*train, **val)
    scores = model.validation_scores_
    assert scores == model.history_["val_score"]
    assert len(scores) == model.n_iter_ == len(model.loss_curve_)
    assert model.best_validation_score_ == max(scores) == scores[model.best_epoch_ - 1]
    kept = model.score(val["X_val"], val["y_val"])
    assert kept == pytest.approx(model.best_validation_score_, rel=1e-9)


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("scoring", [None, "loss"])
def test_early_stopping_looks_at_it_and_sets_nothing_aside(kind, data, scoring):
    train, val = parts(data)
    model = kind(**LONG, early_stopping=True, scoring=scoring, n_iter_no_change=5)
    model.fit(*train, **val)
    assert model.t_ == model.n_iter_ * len(train[0])
    assert model.best_loss_ is None
    end = stops_after(model.validation_scores_, model.tol, 5)
    assert (model.stopped_ == "no_improvement") == (end is not None)
    assert model.n_iter_ == (end or 400)


RULES = [
    {"solver": "adam"},
    {"solver": "adam", "n_iter_no_change": np.inf, "max_iter": 30},
    {"solver": "sgd", "learning_rate": "invscaling"},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 2},
    {"solver": "sgd", "learning_rate": "adaptive", "max_iter": 60, "tol": 0.01},
]


@pytest.mark.parametrize("rule", RULES)
def test_without_early_stopping_training_takes_the_same_course(rule):
    train, val = parts(numbers)
    plain = MLPRegressor(**LONG | rule).fit(*train)
    model = MLPRegressor(**LONG | rule).fit(*train, **val)
    assert model.loss_curve_ == plain.loss_curve_
    assert model.history_["lr"] == plain.history_["lr"]
    assert (model.stopped_, model.best_loss_) == (plain.stopped_, plain.best_loss_)
    best = MLPRegressor(**LONG | rule | {"max_iter": model.best_epoch_}).fit(*train)
    np.testing.assert_array_equal(best.predict(train[0]), model.predict(train[0]))


def test_the_rules_above_end_in_every_way():
    train, _ = parts(numbers)
    ends = {MLPRegressor(**LONG | rule).fit(*train).stopped_ for rule in RULES}
    assert ends == {"no_improvement", "max_iter", "rate_too_small"}


@pytest.mark.parametrize("weighted", [False, True])
def test_scoring_by_loss(weighted):
    train, val = parts(classes)
    weight = np.linspace(0, 2, 40) if weighted else None
    model = MLPClassifier(**LONG, scoring="loss", early_stopping=True, alpha=1.0, dtype="float64")
    model.fit(*train, **val, sample_weight_val=weight)
    proba = model.predict_proba(val["X_val"])
    expected = -log_loss(val["y_val"], proba, sample_weight=weight)
    assert model.best_validation_score_ == pytest.approx(expected, rel=1e-9)
    assert model.stopped_ == "no_improvement"


def expected_loss(model, x, t, weight):
    """The loss of a model's outputs by the reference, on the scale of `loss_`."""
    link = {"softmax": "", "logistic": "binary_"}.get(model.out_activation_)
    name = {
        "log_loss": f"{link}cross_entropy",
        "focal": f"{link}focal",
        "absolute_error": "mae",
    }.get(model.loss, model.loss)
    outputs = model.forward(x)[1][-1]
    values = LOSSES[name].value(outputs, t)
    outputs_of_mean = t.shape[1] if name == "squared_error" else 1
    return np.average(values, weights=weight) / outputs_of_mean


WATCHED = [
    *(
        (MLPClassifier, loss, data)
        for loss in ("log_loss", "focal", "hinge")
        for data in (classes, labels)
    ),
    *((MLPClassifier, loss, lambda: classes(k=2)) for loss in ("log_loss", "focal", "hinge")),
    *(
        (MLPRegressor, loss, lambda k=k: numbers(k=k))
        for loss in ("squared_error", "absolute_error", "huber", "quantile", "poisson")
        for k in (1, 3)
    ),
]


@pytest.mark.parametrize(("kind", "loss", "data"), WATCHED)
@pytest.mark.parametrize("scoring", [None, "loss", lambda *_, sample_weight: 0.0])
def test_the_validation_loss(kind, loss, data, scoring):
    """Of the weights of each epoch, without the penalty and label smoothing, and weighted."""
    x, y = data()
    y = abs(y) if loss == "poisson" else y
    weight = np.linspace(0, 2, 40)
    held = {"X_val": x[80:], "y_val": y[80:], "sample_weight_val": weight}
    smooth = {"label_smoothing": 0.1} if kind is MLPClassifier and loss != "hinge" else {}
    copies = []
    model = kind(
        **SMALL | {"max_iter": 6, "alpha": 5.0, "dtype": "float64", "loss": loss} | smooth,
        scoring=scoring,
        callbacks=lambda end: copies.append((end.val_loss, end.snapshot())),
    ).fit(x[:80], y[:80], **held)
    if y.dtype.kind == "U":
        y = (y[:, None] == model.classes_[1 if len(model.classes_) == 2 else 0 :]).astype(float)
    t = y.reshape(len(y), -1)[80:]
    expected = [expected_loss(copy, x[80:], t, weight) for _, copy in copies]
    np.testing.assert_allclose(model.history_["val_loss"], expected, rtol=1e-9)
    assert [loss for loss, _ in copies] == model.history_["val_loss"]
    kept = expected_loss(model, x[80:], t, weight)
    assert kept == pytest.approx(model.history_["val_loss"][model.best_epoch_ - 1], rel=1e-9)
    if scoring == "loss":
        assert model.validation_scores_ == [-loss for loss in model.history_["val_loss"]]


def test_the_loss_on_samples_set_aside():
    """With class weights, which a validation set of one's own doesn't get."""
    x, y = classes()
    seen = []

    def score(model, x, y, sample_weight=None):
        proba = model.predict_proba(x)
        seen.append(log_loss(y, proba, labels=model.classes_, sample_weight=sample_weight))
        return -len(seen)

    settings = SMALL | {"class_weight": {"bee": 5.0}, "dtype": "float64", "scoring": score}
    model = MLPClassifier(**settings, early_stopping=True).fit(x, y)
    np.testing.assert_allclose(model.history_["val_loss"], seen, rtol=1e-9)


def test_without_a_validation_set_there_is_no_loss_on_it():
    x, y = numbers()
    model = MLPRegressor(**SMALL, warm_start=True).fit(x, y).partial_fit(x, y)
    assert np.isnan(model.history_["val_loss"]).all()
    model.fit(x, y, X_val=x, y_val=y)
    known = np.isfinite(model.history_["val_loss"])
    assert known.tolist() == [False] * (SMALL["max_iter"] + 1) + [True] * SMALL["max_iter"]


def test_weights_of_the_validation_samples():
    train, val = parts(lambda: classes(k=2))
    weight = (np.arange(40) % 2).astype(float)
    half = {name: array[1::2] for name, array in val.items()}
    weighted = MLPClassifier(**SMALL).fit(*train, **val, sample_weight_val=weight)
    chosen = MLPClassifier(**SMALL).fit(*train, **half)
    assert weighted.validation_scores_ == pytest.approx(chosen.validation_scores_)


def test_a_warm_start_begins_anew_with_the_scores():
    train, val = parts(classes)
    model = MLPClassifier(**SMALL, warm_start=True).fit(*train, **val)
    before = [w.copy() for w in model.coefs_]
    rng = np.random.default_rng(0)
    val["y_val"] = rng.permutation(val["y_val"])  # no epoch is as good on this
    model.fit(*train, **val)
    assert model.best_epoch_ > SMALL["max_iter"]
    assert any((a != b).any() for a, b in zip(before, model.coefs_, strict=True))
    model.partial_fit(*train)
    assert model.validation_scores_ is None


def test_validation_labels_may_be_some_of_those_known():
    (x, y), _ = parts(classes)
    model = MLPClassifier(**SMALL, warm_start=True)
    bees = y == "bee"
    model.fit(x, y, X_val=x[bees], y_val=list(y[bees]))
    model.fit(x, y, X_val=x[bees], y_val=y[bees].reshape(-1))
    assert model.best_validation_score_ == model.score(x[bees], y[bees])


X, Y = classes()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"X_val": X}, r"y_val is missing"),
        ({"y_val": Y}, r"X_val is missing"),
        ({"sample_weight_val": np.ones(120)}, r"X_val is missing"),
        ({"X_val": X[:, :5], "y_val": Y}, r"X_val.*5 features.*expecting 6"),
        ({"X_val": X[:-1], "y_val": Y}, r"X_val.*inconsistent numbers of samples"),
        ({"X_val": X[:1], "y_val": Y[:1]}, r"X_val.*at least 2"),
        ({"X_val": X[:0], "y_val": Y[:0]}, r"X_val.*0 sample"),
        ({"X_val": X * np.nan, "y_val": Y}, r"X_val.*NaN"),
        ({"X_val": X * 1e39, "y_val": Y}, r"X_val.*float32"),
        ({"X_val": X, "y_val": np.full(120, "dog")}, r"y_val.*dog"),
        ({"X_val": X, "y_val": labels()[1]}, r"y_val.*single-label"),
        ({"X_val": X, "y_val": Y, "sample_weight_val": np.zeros(120)}, r"weight_val.*non-zero"),
        (
            {"X_val": X, "y_val": Y, "sample_weight_val": np.ones(7)},
            r"weight_val must have shape \(120,\)",
        ),
    ],
)
def test_what_is_refused(arguments, match):
    model = MLPClassifier(**SMALL)
    with pytest.raises(ValueError, match=match):
        model.fit(X, Y, **arguments)
    assert not hasattr(model, "classes_")


def test_what_is_refused_elsewhere():
    x, y = numbers(k=3)
    with pytest.raises(ValueError, match=r"y_val.*2 columns; expected 3"):
        MLPRegressor(**SMALL).fit(x, y, X_val=x, y_val=y[:, :2])
    with pytest.raises(ValueError, match=r"X_val.*lbfgs"):
        MLPRegressor(**SMALL, solver="lbfgs").fit(x, y, X_val=x, y_val=y)
    with pytest.raises(ValueError, match=r"scoring"):
        MLPRegressor(**SMALL, scoring="r3").fit(x, y)


def test_feature_names_are_checked():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcdef"))
    with pytest.raises(ValueError, match=r"X_val.*feature names"):
        MLPClassifier(**SMALL).fit(frame, Y, X_val=frame[list("fedcba")], y_val=Y)


@pytest.mark.parametrize("end", [KeyboardInterrupt, True])
def test_the_best_weights_are_kept_whatever_ends_training(end):
    train, val = parts(classes)

    def stop(epoch):
        if epoch.epoch == 7 and end is not True:
            raise end
        return epoch.epoch == 7

    model = MLPClassifier(**SMALL | {"learning_rate_init": 0.3}, callbacks=stop)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Training interrupted")
        model.fit(*train, **val)
    assert model.stopped_ == ("callback" if end is True else "interrupted")
    assert model.n_iter_ == 7
    assert model.score(val["X_val"], val["y_val"]) == max(model.validation_scores_)


def test_they_are_kept_when_training_runs_away():
    train, val = parts(numbers)
    settings = SMALL | {"solver": "sgd", "learning_rate": lambda epoch: 0.01 if epoch < 5 else 1e9}
    model = MLPRegressor(**settings, dtype="float64")
    with pytest.warns(ConvergenceWarning, match=r"NaN or infinite.*best epoch are kept"):
        model.fit(*train, **val)
    assert model.stopped_ == "non_finite"
    assert model.best_epoch_ == 5
    kept = model.score(val["X_val"], val["y_val"])
    assert kept == pytest.approx(model.best_validation_score_, rel=1e-9)
    assert {len(column) for column in model.history_.values()} == {model.n_iter_}


def test_a_pipeline_transforms_it():
    x, y = classes()
    x = 100 * x + 1000
    (train, val) = parts(lambda: (x, y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**SMALL, early_stopping=True)
        model.set_fit_request(X_val=True, y_val=True)
        pipe = Pipeline([("scale", StandardScaler()), ("mlp", model)], transform_input=["X_val"])
        pipe.fit(*train, **val)
    scale = StandardScaler().fit(train[0])
    alone = MLPClassifier(**SMALL, early_stopping=True).fit(
        scale.transform(train[0]), train[1], X_val=scale.transform(val["X_val"]), y_val=val["y_val"]
    )
    assert pipe[-1].validation_scores_ == alone.validation_scores_
    assert pipe[-1].best_validation_score_ == pipe.score(val["X_val"], val["y_val"])


def plain_loss(model, x, y):
    """A scorer of the user's own."""
    return -log_loss(y, model.predict_proba(x))


@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss", plain_loss])
@pytest.mark.parametrize("own", [False, True])
def test_any_scorer(scoring, own):
    x, y = classes(k=2)
    settings = SMALL | {"max_iter": 8, "scoring": scoring}
    if own:
        model = MLPClassifier(**settings).fit(x[:80], y[:80], X_val=x[80:], y_val=y[80:])
        scorer = scoring if callable(scoring) else get_scorer(scoring)
        assert model.best_validation_score_ == pytest.approx(scorer(model, x[80:], y[80:]))
    else:
        model = MLPClassifier(**settings, early_stopping=True).fit(x, y)
    scores = model.validation_scores_
    assert len(scores) == model.n_iter_
    assert max(scores) == model.best_validation_score_ == scores[model.best_epoch_ - 1]
    assert len(set(scores)) > 1


@pytest.mark.parametrize(("estimator", "data"), KINDS)
def test_a_scorer_sees_the_targets_as_given(estimator, data):
    x, y = data()
    seen = []

    def score(model, x_seen, y_seen, sample_weight=None):
        seen.append((x_seen, y_seen, sample_weight))
        return model.score(x_seen, y_seen, sample_weight)

    weight = np.arange(1.0, 41.0)
    held = {"X_val": x[:40], "y_val": y[:40], "sample_weight_val": weight}
    model = estimator(**SMALL, scoring=score).fit(x[40:], y[40:], **held)
    np.testing.assert_array_equal(seen[0][1], y[:40])
    np.testing.assert_array_equal(seen[0][2], weight)
    assert model.best_validation_score_ == pytest.approx(model.score(x[:40], y[:40], weight))


def test_samples_set_aside_must_not_all_weigh_nothing():
    x, y = numbers()
    weight = (np.arange(120) == 60).astype(float)  # on one side of the split or on the other
    for seed in range(20):
        model = MLPRegressor(**SMALL | {"random_state": seed}, early_stopping=True)
        with pytest.raises(ValueError, match=r"at least one non-zero number.*early_stopping"):
            model.fit(x, y, sample_weight=weight)


def test_a_scorer_need_not_be_hashable():
    @dataclass
    class Score:
        power: float

        def __call__(self, model, x, y):
            return -float((abs(model.predict(x) - y) ** self.power).mean())

    x, y = numbers()
    model = MLPRegressor(**SMALL, early_stopping=True, scoring=Score(1.5)).fit(x, y)
    assert model.best_validation_score_ == max(model.validation_scores_) < 0


def test_an_error_in_a_scorer_says_where_it_was():
    x, y = numbers()
    model = MLPRegressor(**SMALL, early_stopping=True, scoring="neg_max_error")
    with pytest.raises(TypeError, match=r"sample_weight") as caught:  # which this one lacks
        model.fit(x, y, sample_weight=np.ones(120))
    assert caught.value.__notes__ == ["This was scoring='neg_max_error' on the validation set."]


def test_an_error_in_a_scorer_leaves_the_model_alone():
    x, y = classes()
    model = MLPClassifier(**SMALL).fit(x, y)
    before = model.predict_proba(x)

    def score(model, x, y):
        raise RuntimeError("no score today")

    model.set_params(scoring=score, early_stopping=True)
    with pytest.raises(RuntimeError, match="no score today"):
        model.fit(x, y)
    np.testing.assert_array_equal(model.predict_proba(x), before)
