"""`find_learning_rate`: the rates tried, the losses met, and what is made of them."""

import numpy as np
import pandas as pd
import pytest
from samples import KINDS, SMALL, classes, numbers
from scipy.sparse import csr_array

from fastmlp import MLPClassifier, MLPRegressor, find_learning_rate

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_rate_that_trains(kind, data, solver):
    x, y = data()
    model = kind(**SMALL | {"solver": solver, "learning_rate_init": 1e-4}, batch_size=40)
    before = model.get_params()
    search = find_learning_rate(model, x, y, high=10)
    assert model.get_params() == before
    assert not hasattr(model, "coefs_")
    assert len(search.rates) == len(search.losses) <= 100
    np.testing.assert_allclose(search.rates, np.geomspace(1e-6, 10, 100)[: len(search.rates)])
    assert 1e-6 < search.suggestion < 10
    slow = model.fit(x, y).loss_
    assert model.set_params(learning_rate_init=search.suggestion).fit(x, y).loss_ < slow


def test_the_steps_are_those_of_training():
    """With all samples in each batch, the losses are those of a fit with the same rates."""
    x, y = numbers()
    model = MLPRegressor(**SMALL, batch_size="full", shuffle=False, dtype="float64")
    search = find_learning_rate(model, x, y, low=1e-4, high=1e-2, steps=20)
    rates = np.geomspace(1e-4, 1e-2, 20)
    model.set_params(learning_rate=lambda epoch: rates[epoch], max_iter=20).fit(x, y)
    np.testing.assert_allclose(search.losses, model.loss_curve_, rtol=1e-10)


def test_where_the_loss_blows_up():
    x, y = numbers()
    model = MLPRegressor(**SMALL, solver="sgd", batch_size=30)
    search = find_learning_rate(model, x, y, high=1e6, steps=50)
    assert len(search.rates) < 50
    assert np.isfinite(search.losses).all()
    assert search.suggestion < search.rates[-1]
    with pytest.raises(ValueError, match=r"became NaN or infinite"):
        find_learning_rate(model, x * 1e25, y, low=1e5, high=1e6)


def test_settings_that_a_single_step_has_no_use_for():
    x, y = classes(k=2)
    weight = np.where(y == y[0], 3.0, 1.0)
    model = MLPClassifier(
        **SMALL,
        early_stopping=True,
        warm_start=True,
        verbose=2,
        callbacks=lambda end: 1 / 0,
        learning_rate="cosine",
        class_weight="balanced",
    )
    search = find_learning_rate(model, x, y, weight)
    plain = MLPClassifier(**SMALL)
    other = find_learning_rate(plain, x, y, weight)
    assert (search.losses != other.losses).any()
    n = np.where(y == y[0], (y == y[0]).sum(), (y != y[0]).sum())
    same = find_learning_rate(plain, x, y, weight * len(y) / (2 * n))
    np.testing.assert_array_equal(search.losses, same.losses)


@pytest.mark.parametrize("convert", [list, csr_array, pd.DataFrame])
def test_inputs_of_every_kind(convert):
    x, y = classes()
    model = MLPClassifier(**SMALL, batch_size=50)
    if convert is pd.DataFrame:
        given = pd.DataFrame(x, columns=list("abcdef"), index=range(500, 620))
    else:
        given = convert(x)
    search = find_learning_rate(model, given, list(y), steps=10)
    same = find_learning_rate(model, x, y, steps=10)
    np.testing.assert_allclose(search.losses, same.losses, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"low": 0}, r"low and high.*got 0"),
        ({"low": 2.0}, r"low and high"),
        ({"high": np.inf}, r"low and high"),
        ({"steps": 9}, r"steps.*>= 10; got 9"),
        ({"steps": 20.0}, r"steps"),
    ],
)
def test_what_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        find_learning_rate(MLPRegressor(), *numbers(), **arguments)


def test_estimators_that_are_refused():
    with pytest.raises(ValueError, match=r"lbfgs"):
        find_learning_rate(MLPRegressor(solver="lbfgs"), *numbers())
    with pytest.raises(TypeError, match=r"MLPClassifier or MLPRegressor"):
        find_learning_rate(MLPRegressor, *numbers())
    with pytest.raises(ValueError, match=r"NaN"):
        find_learning_rate(MLPRegressor(), np.full((20, 2), np.nan), np.zeros(20))


def test_the_picture():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    x, y = numbers()
    search = find_learning_rate(MLPRegressor(**SMALL), x, y, steps=20)
    ax = search.plot()
    curve, suggestion = ax.lines
    np.testing.assert_array_equal(
        curve.get_xydata(), np.column_stack([search.rates, search.losses])
    )
    assert set(suggestion.get_xdata()) == {search.suggestion}
    assert ax.get_xscale() == "log"
    assert search.plot(ax) is ax
