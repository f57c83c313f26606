"""More than a mean of a target: several quantiles at once, and a normal distribution."""

import pickle

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import d2_pinball_score, mean_pinball_loss, r2_score

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(1500, 3))
SPREAD = np.exp(X[:, 1] / 2)
Y = X[:, 0] + SPREAD * rng.normal(size=len(X))
TWO = np.column_stack([Y, X[:, 2] + rng.normal(size=len(X))])
WEIGHTS = rng.uniform(0, 2, len(X)).round(1)
LEVELS = [0.1, 0.5, 0.9]
SMALL = {"hidden_layer_sizes": (12,), "max_iter": 8, "random_state": 0}
QUANTILES = {"loss": "quantile", "quantiles": LEVELS, **SMALL}
NORMAL = {"loss": "gaussian", **SMALL}


# Quantiles


def test_one_network_learns_what_three_learn():
    """Linear ones, whose outputs have no weights in common."""
    w = rng.normal(size=(3, 3)) / 4
    b = rng.normal(size=3) / 4
    how = {"hidden_layer_sizes": (), "solver": "sgd", "momentum": 0, "alpha": 0, "dtype": "float64"}
    how |= {"max_iter": 5, "shuffle": False}
    together = MLPRegressor("quantile", quantiles=LEVELS, learning_rate_init=0.3, **how)
    together.fit(X, Y, WEIGHTS, coef_init=[w], intercept_init=[b])
    for place, level in enumerate(LEVELS):
        alone = MLPRegressor(f"quantile({level})", learning_rate_init=0.1, **how)
        alone.fit(X, Y, WEIGHTS, coef_init=[w[:, [place]]], intercept_init=[b[[place]]])
        np.testing.assert_allclose(together.coefs_[0][:, [place]], alone.coefs_[0], rtol=1e-9)
        np.testing.assert_allclose(together.intercepts_[0][place], alone.intercepts_[0], rtol=1e-9)


@pytest.mark.parametrize("y", [Y, TWO], ids=["one", "two"])
def test_they_never_cross(y, dtype):
    model = MLPRegressor(**{**QUANTILES, "max_iter": 2}, dtype=dtype).fit(X, y)
    raw = model.forward(X)[1][-1].reshape(len(X), 3, -1).transpose(0, 2, 1)
    crossed = (np.diff(raw, axis=2) < 0).any()
    assert crossed  # or there is nothing to see here
    predicted = model.predict(X)
    assert predicted.shape == ((1500, 3) if y.ndim == 1 else (1500, 2, 3))
    np.testing.assert_array_equal(predicted, np.sort(raw, axis=2).reshape(predicted.shape))
    assert (np.diff(predicted, axis=-1) >= 0).all()


@pytest.mark.parametrize("settings", [{}, {"solver": "lbfgs", "dtype": "float64"}], ids=str)
def test_so_many_are_below(settings):
    model = MLPRegressor(**{**QUANTILES, "max_iter": 150}, learning_rate_init=0.01, **settings)
    predicted = model.fit(X, Y).predict(X)
    # At the minimum a share is off by at most the parameters over the samples, 87 / 1500.
    np.testing.assert_allclose((Y[:, None] < predicted).mean(axis=0), LEVELS, atol=0.02)
    assert np.corrcoef(predicted[:, 2] - predicted[:, 0], SPREAD)[0, 1] > 0.9


@pytest.mark.parametrize("y", [Y, TWO], ids=["one", "two"])
def test_losses_and_scores(y):
    model = MLPRegressor(**QUANTILES, alpha=0, dtype="float64")
    model.fit(X, y, X_val=X[:300], y_val=y[:300], sample_weight_val=WEIGHTS[:300])
    raw = model.forward(X[:300])[1][-1].reshape(300, 3, -1)
    by_level = [
        mean_pinball_loss(y[:300], raw[:, place], sample_weight=WEIGHTS[:300], alpha=level)
        for place, level in enumerate(LEVELS)
    ]
    best = model.best_epoch_ - 1
    assert model.history_["val_loss"][best] == pytest.approx(np.mean(by_level), rel=1e-9)
    assert model.best_validation_score_ == -model.history_["val_loss"][best]
    scores = [
        d2_pinball_score(y, each, sample_weight=WEIGHTS, alpha=level)
        for level, each in zip(LEVELS, np.moveaxis(model.predict(X), -1, 0), strict=True)
    ]
    assert model.score(X, y, WEIGHTS) == pytest.approx(np.mean(scores), rel=1e-12)


def test_one_quantile_in_a_list():
    model = MLPRegressor("quantile", quantiles=[0.9], **SMALL).fit(X, Y)
    other = MLPRegressor("quantile(0.9)", **SMALL).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), other.predict(X)[:, None])


@pytest.mark.parametrize(
    ("kind", "inside", "beside"),
    [
        (MLPRegressor, {"loss": "quantile(0.9)"}, {"loss": "quantile", "quantile": 0.9}),
        (MLPRegressor, {"loss": "huber(0.4)"}, {"loss": "huber", "delta": 0.4}),
        (MLPClassifier, {"loss": "focal(1.5)"}, {"loss": "focal", "gamma": 1.5}),
    ],
)
def test_a_parameter_beside_the_name(kind, inside, beside):
    y = Y if kind is MLPRegressor else Y > 0
    weights = [kind(**loss, **SMALL).fit(X, y).coefs_ for loss in (inside, beside)]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=r"has its \w+ in parentheses; got"):
        kind(**{**beside, **inside}).fit(X, y)
    name = next(iter(beside.keys() - {"loss"}))
    with pytest.raises(ValueError, match=f"'{name}' parameter of {kind.__name__}"):
        kind(**{**beside, name: -1.0}).fit(X, y)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"quantiles": [0.9, 0.1]}, r"quantiles=\[0.9, 0.1\] must hold .* ascending order"),
        ({"quantiles": [0.5, 0.5]}, "ascending order"),
        ({"quantiles": []}, "ascending order"),
        ({"quantiles": [0.5, 1.0]}, r"quantiles=\[0.5, 1.0\]: quantile must be between 0 and 1"),
        ({"quantiles": ["a"]}, "quantile must be between 0 and 1"),
        ({"quantiles": [0.1], "quantile": 0.5}, "only one can be given"),
        ({"quantiles": [0.1], "loss": "quantile(0.5)"}, "only one can be given"),
        ({"quantiles": 0.5}, "'quantiles' parameter of MLPRegressor"),
    ],
)
def test_what_is_no_list_of_quantiles(settings, match):
    with pytest.raises(ValueError, match=match):
        MLPRegressor(**{**QUANTILES, **settings}).fit(X, Y)


def test_other_losses_leave_them_alone():
    model = MLPRegressor(quantile=0.3, quantiles=LEVELS, delta=2.0, **SMALL).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), MLPRegressor(**SMALL).fit(X, Y).predict(X))
    assert model.score(X, Y) == pytest.approx(r2_score(Y, model.predict(X)), rel=1e-12)


# The normal distribution


def test_the_loss_is_minus_the_log_of_the_density(dtype):
    model = MLPRegressor(**NORMAL, alpha=0, dtype=dtype)
    model.fit(X, TWO, X_val=X[:300], y_val=TWO[:300], sample_weight_val=WEIGHTS[:300])
    mean, std = model.predict(X[:300], return_std=True)
    assert mean.shape == std.shape == (300, 2)
    density = norm.logpdf(TWO[:300], mean, std).mean(axis=1)
    expected = -np.average(density, weights=WEIGHTS[:300])
    best = model.best_epoch_ - 1
    rel = 1e-9 if dtype == "float64" else 1e-5
    assert model.history_["val_loss"][best] == pytest.approx(expected, rel=rel)
    assert model.score(X, TWO) == pytest.approx(r2_score(TWO, model.predict(X)), rel=1e-12)


def test_it_finds_mean_and_spread():
    model = MLPRegressor(**{**NORMAL, "max_iter": 200}).fit(X, Y)
    mean, std = model.predict(X, return_std=True)
    assert np.sqrt(np.mean((mean - X[:, 0]) ** 2)) < 0.25
    assert np.abs(np.log(std / SPREAD)).mean() < 0.15
    np.testing.assert_array_equal(mean, model.predict(X))
    lbfgs = MLPRegressor(**{**NORMAL, "max_iter": 200}, solver="lbfgs", dtype="float64").fit(X, Y)
    assert lbfgs.loss_ < model.loss_ + 0.01


def test_targets_far_out_do_not_overflow():
    y = np.where(np.arange(len(X)) % 2 == 0, 1e4, -1e4)
    model = MLPRegressor(**NORMAL).fit(X, y)
    assert np.isfinite(model.predict(X, return_std=True)).all()
    same = MLPRegressor(**{**NORMAL, "max_iter": 300}, learning_rate_init=0.1).fit(X, 0 * Y)
    assert np.isfinite(same.loss_)


def test_mixture_over_dropout_masks():
    model = MLPRegressor(**NORMAL, dropout=0.3).fit(X, Y)
    mean, std = model.predict(X[:50], dropout_samples=7, return_std=True)
    network = model._model.network
    outputs = [network.predict_masked(X[:50], model._model.mask_seed, k) for k in range(7)]
    means = np.array([each[:, 0] for each in outputs])
    variances = np.array([np.exp(each[:, 1]) for each in outputs])
    np.testing.assert_allclose(mean, means.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std, np.sqrt(variances.mean(axis=0) + means.var(axis=0)), rtol=1e-5)
    quantiles = MLPRegressor(**QUANTILES, dropout=0.3).fit(X, Y)
    mean, std = quantiles.predict(X[:50], dropout_samples=7, return_std=True)
    assert mean.shape == std.shape == (50, 3)
    assert (np.diff(mean, axis=1) >= 0).all()


def test_its_outputs_have_no_bounds():
    with pytest.raises(ValueError, match=r"loss='gaussian' has outputs without bounds"):
        MLPRegressor(**NORMAL, out_activation="softplus").fit(X, Y)


# Both


@pytest.mark.parametrize("settings", [QUANTILES, NORMAL], ids=["quantiles", "normal"])
@pytest.mark.parametrize("y", [Y, TWO], ids=["one", "two"])
class TestBoth:
    def test_copies(self, settings, y, tmp_path):
        model = MLPRegressor(**settings, early_stopping=True).fit(X, y)
        fastmlp.save(model, tmp_path / "model")
        for copy in (pickle.loads(pickle.dumps(model)), fastmlp.load(tmp_path / "model")):
            np.testing.assert_array_equal(copy.predict(X), model.predict(X))
            assert copy.score(X, y) == model.score(X, y)
        again = clone(model).fit(X, y)
        np.testing.assert_array_equal(again.predict(X), model.predict(X))

    def test_streams(self, settings, y):
        model, other = MLPRegressor(**settings), MLPRegressor(**settings)
        for begin in range(0, 600, 200):
            rows = slice(begin, begin + 200)
            model.partial_fit(X[rows], y[rows])
            other.partial_fit(X[rows].tolist(), y[rows].tolist())
        np.testing.assert_array_equal(model.predict(X), other.predict(X))

    def test_another_kind_of_outputs_is_another_network(self, settings, y):
        model = MLPRegressor(**settings).fit(X, y)
        before = model.predict(X)
        model.set_params(loss="squared_error")
        with pytest.raises(ValueError, match=r"neither the quantiles can change"):
            model.partial_fit(X, y)
        np.testing.assert_array_equal(model.predict(X), before)
        model.set_params(hidden_layer_sizes=(3,)).fit(X, y)
        assert model.predict(X).shape == y.shape

    def test_threads(self, settings, y):
        settings = {**settings, "hidden_layer_sizes": (200,), "max_iter": 2}
        one, *others = (MLPRegressor(**settings, n_jobs=n).fit(X, y) for n in (1, 2, 4))
        for other in others:
            np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])

    def test_scorers_see_predictions(self, settings, y):
        def score(estimator, X, y):
            shapes.append((estimator.predict(X).shape, y.shape))
            return 0.0

        shapes = []
        MLPRegressor(**settings, early_stopping=True, scoring=score).fit(X, y)
        assert {given for _, given in shapes} == {(150, *y.shape[1:])}

    def test_onnx(self, settings, y):
        runtime = pytest.importorskip("onnxruntime")
        model = MLPRegressor(**settings).fit(X, y)
        session = runtime.InferenceSession(fastmlp.to_onnx(model).SerializeToString())
        found = session.run(None, {"X": X.astype(np.float32)})
        wanted = (model.predict(X),)
        if settings is NORMAL:
            wanted = model.predict(X, return_std=True)
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_float32_in_float32_out():
    for settings in (QUANTILES, NORMAL):
        model = MLPRegressor(**settings).fit(X, Y)
        assert model.predict(X.astype(np.float32)).dtype == np.float32
        assert model.predict(X).dtype == np.float64
