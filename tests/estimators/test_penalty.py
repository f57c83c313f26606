"""`penalty`, `l1_ratio` and `alpha` per layer: the objective, and the step that it causes."""

import numpy as np
import pytest
from samples import SMALL, classes, numbers

from fastmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RATIOS = {"l2": 0.0, "l1": 1.0, "elasticnet": 0.3, None: 0.0}
RATE = 0.05


def one_step(x, y, weight, **settings):
    """A regressor after one step of plain gradient descent from fixed weights."""
    rng = np.random.default_rng(1)
    start = [rng.normal(size=(6, 4)), rng.normal(size=(4, 1))]
    start[0][2, 1] = 0.0  # where |w| has its kink
    model = MLPRegressor(
        hidden_layer_sizes=(4,),
        solver="sgd",
        momentum=0,
        max_iter=1,
        batch_size="full",
        learning_rate_init=RATE,
        dtype="float64",
        random_state=0,
        **settings,
    )
    model.fit(x, y, weight, coef_init=start, intercept_init=[np.zeros(4), np.zeros(1)])
    return model, start


@pytest.mark.parametrize("penalty", RATIOS)
@pytest.mark.parametrize("alpha", [0.7, [0.7, 2.0]])
@pytest.mark.parametrize("weighted", [False, True])
def test_value_and_slope(penalty, alpha, weighted):
    x, y = numbers()
    weight = np.linspace(0.5, 3, len(x)) if weighted else None
    total = len(x) if weight is None else weight.sum()
    plain, _ = one_step(x, y, weight, alpha=0)
    model, start = one_step(x, y, weight, alpha=alpha, penalty=penalty, l1_ratio=0.3)
    r = RATIOS[penalty]
    value = 0
    for i, w in enumerate(start):
        a = 0 if penalty is None else np.broadcast_to(alpha, 2)[i] / total
        value += a * ((1 - r) / 2 * (w**2).sum() + r * np.abs(w).sum())
        stepped = plain.coefs_[i] - RATE * a * (1 - r) * w
        shrunk = np.sign(stepped) * np.maximum(np.abs(stepped) - RATE * a * r, 0)
        np.testing.assert_allclose(model.coefs_[i], shrunk, atol=1e-12)
        np.testing.assert_array_equal(plain.intercepts_[i], model.intercepts_[i])
    assert model.loss_ - plain.loss_ == pytest.approx(value, abs=1e-12)


def test_l1_makes_weights_of_noise_exactly_zero():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 10))
    y = 2 * x[:, 0]
    settings = {"hidden_layer_sizes": (), "max_iter": 300, "learning_rate_init": 0.01}
    model = MLPRegressor(**settings, random_state=0, penalty="l1", alpha=30).fit(x, y)
    assert (model.coefs_[0][1:] == 0).all()
    assert model.coefs_[0][0, 0] > 1.5


def test_lbfgs_takes_l2_per_layer():
    x, y = numbers()
    common = {"solver": "lbfgs", "hidden_layer_sizes": (5,), "random_state": 0, "max_iter": 40}
    one, each, other = (
        MLPRegressor(**common, alpha=alpha, dtype="float64").fit(x, y)
        for alpha in (0.5, [0.5, 0.5], [0.5, 500.0])
    )
    for a, b in zip(one.coefs_, each.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.linalg.norm(other.coefs_[1]) < 0.5 * np.linalg.norm(one.coefs_[1])
    free, zero = (
        MLPRegressor(**common, **extra).fit(x, y)
        for extra in ({"alpha": 9, "penalty": None}, {"alpha": 0, "penalty": "l1"})
    )
    np.testing.assert_array_equal(free.predict(x), zero.predict(x))


@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_lbfgs_refuses_kinks(penalty):
    with pytest.raises(ValueError, match=rf"penalty='{penalty}'.*lbfgs"):
        MLPClassifier(**SMALL, solver="lbfgs", penalty=penalty).fit(*classes())


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("penalty", "l3"),
        ("l1_ratio", -0.1),
        ("l1_ratio", 1.1),
        ("alpha", [0.1]),
        ("alpha", [0.1, 0.1, 0.1]),
        ("alpha", [0.1, -0.1]),
        ("alpha", [0.1, np.nan]),
        ("alpha", [0.1, np.inf]),
        ("alpha", [0.1, "some"]),
    ],
)
def test_parameters(parameter, value):
    with pytest.raises(ValueError, match=parameter):
        MLPRegressor(**SMALL | {parameter: value}).fit(*numbers())
