"""What is wrong in one process is said in all of them, and nothing is left half done."""

import numpy as np
import pytest
from loops import each
from processes import in_processes
from sklearn.base import clone

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp._processes.group import ALONE, current_group
from fastmlp.distributed import communicator

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 5)), RNG.integers(0, 3, 60)


def fit_parts(X, Y, size=2, make=lambda: MLPClassifier((4,), max_iter=3), **fit_params):
    """Fit to equal parts; each of `fit_params` is a function of the rank."""

    def fit(rank):
        own = slice(60 * rank // size, 60 * (rank + 1) // size)
        params = {name: value(rank) for name, value in fit_params.items()}
        return make().fit(X[own], Y[own], **params)

    return in_processes(size, fit)


def spoiled(array, row, value):
    copy = array.astype(object if isinstance(value, str) else float)
    copy[row] = value
    return copy


@each("rank", [0, 1])
def test_what_is_wrong_with_one_part(rank):
    results = fit_parts(spoiled(X, 45 if rank else 5, np.nan), Y)
    assert [type(result) for result in results] == [ValueError] * 2
    assert str(results[rank]).startswith("Input X contains NaN")
    assert str(results[1 - rank]).startswith(f"In process {rank}: Input X contains NaN")


def test_arguments_that_do_not_fit_each_other():
    narrow = in_processes(2, lambda rank: MLPClassifier().fit(X[:, : 4 + rank], Y))
    texts = in_processes(2, lambda rank: MLPClassifier().fit(X, Y if rank else Y.astype(str)))
    weighed = fit_parts(X, Y, sample_weight=lambda rank: np.ones(30) if rank else None)
    few = in_processes(2, lambda rank: MLPClassifier().fit(X[:1], Y[:1]))
    nothing = in_processes(2, lambda rank: MLPClassifier().fit(X[:0], Y[:0]))
    for results, message in (
        (narrow, r"as many features in all processes; got \[4, 5\]"),
        (texts, "numbers where others have texts"),
        (weighed, "all processes give weights"),
        (few, "at least 4 samples, one for each shard; got 2 in 2 processes"),
        (nothing, "at least one sample"),
    ):
        for result in results:
            with pytest.raises(ValueError, match=message):
                raise result


def test_columns_have_the_same_names_everywhere():
    pd = pytest.importorskip("pandas")
    frames = [pd.DataFrame(X, columns=list(names)) for names in ("abcde", "abcdf")]
    for result in in_processes(2, lambda rank: MLPClassifier().fit(frames[rank], Y)):
        with pytest.raises(ValueError, match="columns of X must have the same names"):
            raise result


def test_callbacks_are_called_by_the_first_process_alone():
    seen = []

    def make():
        return MLPClassifier(
            (4,), max_iter=9, callbacks=lambda end: seen.append(end) or len(seen) == 3
        )

    models = fit_parts(X, Y, make=make)
    assert [model.n_iter_ for model in models] == [3, 3]
    assert [end.epoch for end in seen] == [1, 2, 3]


def test_a_callback_that_fails_ends_all():
    def fail(end):
        raise ZeroDivisionError("no way")

    first, second = fit_parts(X, Y, make=lambda: MLPClassifier((4,), callbacks=fail))
    assert isinstance(first, ZeroDivisionError)
    assert str(second) == "In process 0: ZeroDivisionError: no way"


def test_a_callback_may_fit_by_itself():
    def fit(end):
        assert current_group() is ALONE
        MLPClassifier((2,), max_iter=1).fit(X, Y)

    models = fit_parts(X, Y, make=lambda: MLPClassifier((4,), max_iter=2, callbacks=fit))
    assert [model.n_iter_ for model in models] == [2, 2]


def test_a_loss_that_is_no_longer_finite_ends_all_at_the_same_step():
    make = lambda: MLPRegressor(max_iter=50, solver="sgd", learning_rate_init=1e6)  # noqa: E731
    results = fit_parts(X * 1e3, Y.astype(float), make=make)
    assert str(results[0]) == str(results[1])
    assert "NaN or infinite in epoch" in str(results[0])


def test_a_loss_of_ones_own_that_fails_in_one_process():
    def loss(outputs, targets):
        if (targets == 2).any() and len(targets) and targets.max() == 7:
            raise ZeroDivisionError("no way")
        return ((outputs - targets) ** 2).sum(axis=1), 2 * (outputs - targets)

    y = Y.astype(float)
    y[59] = 7
    results = fit_parts(X, y, make=lambda: MLPRegressor(loss, max_iter=5))
    assert any(isinstance(result, ZeroDivisionError) for result in results)
    assert all(isinstance(result, Exception) for result in results)


@each(
    "call",
    [
        lambda: fastmlp.TabularClassifier().fit(X, Y),
        lambda: fastmlp.TabularRegressor().fit(X, Y),
        lambda: fastmlp.Perceptron().fit(X, Y),
        lambda: fastmlp.Perceptron().partial_fit(X, Y, classes=[0, 1, 2]),
        lambda: fastmlp.fit_pack([MLPClassifier()], X, Y),
        lambda: fastmlp.find_learning_rate(MLPClassifier(), X, Y),
        lambda: fastmlp.Network([fastmlp.Dense(1)], 5).fit(X, Y, loss="mse"),
    ],
)
def test_what_cannot_be_shared(call):
    for result in in_processes(2, lambda rank: call()):
        with pytest.raises(RuntimeError, match="several processes together"):
            raise result


def test_what_is_no_communicator():
    with (
        pytest.raises(TypeError, match=r"comm must be an intracommunicator.*got 3"),
        communicator(3),
    ):
        pass
    for timeout in (0, -1, "1", True, float("nan")):
        with (
            pytest.raises(ValueError, match="timeout must be a number of seconds above 0"),
            communicator(3, timeout=timeout),
        ):
            pass


DIFFERENT = {
    "alpha": lambda rank: MLPClassifier(alpha=0.1 * rank).fit(X, Y),
    "batch_size": lambda rank: MLPClassifier(batch_size=10 + rank).fit(X, Y),
    "solver": lambda rank: MLPClassifier(solver="sgd" if rank else "adam").fit(X, Y),
    "classes": lambda rank: MLPClassifier().partial_fit(X, Y, classes=[0, 1, 2, 3 + rank]),
    "partial_fit": lambda rank: (
        MLPRegressor().partial_fit(X, Y) if rank else MLPRegressor().fit(X, Y)
    ),
    "validation": lambda rank: MLPClassifier().fit(
        X, Y, **({"X_val": X, "y_val": Y} if rank else {})
    ),
}


@each("name", DIFFERENT)
def test_what_differs_between_processes(name):
    for result in in_processes(2, DIFFERENT[name]):
        with pytest.raises(ValueError, match=f"{name} must be the same in all processes"):
            raise result


def test_a_parameter_that_is_wrong_in_one_process():
    results = in_processes(2, lambda rank: MLPClassifier(alpha=-rank).fit(X, Y))
    for result in results:
        with pytest.raises(ValueError, match="'alpha' parameter"):
            raise result


def test_the_start_is_that_of_the_first_process():
    def fit(rank):
        start = [np.full((5, 4), rank), np.zeros((4, 3))]
        return MLPClassifier((4,), max_iter=2).fit(X, Y, coef_init=start)

    first, second = in_processes(2, fit)
    assert all((a == b).all() for a, b in zip(first.coefs_, second.coefs_, strict=True))


def test_a_start_that_is_wrong_in_one_process():
    def fit(rank):
        return MLPClassifier((4,)).fit(X, Y, coef_init=[np.zeros((5, 4 + rank)), np.zeros((4, 3))])

    for result in in_processes(2, fit):
        assert isinstance(result, ValueError)


def test_a_part_may_weigh_nothing():
    weight = np.r_[np.zeros(30), np.ones(30)]
    models = fit_parts(X, Y, sample_weight=lambda rank: weight[30 * rank : 30 * rank + 30])
    alone = MLPClassifier((4,), max_iter=3, random_state=0).fit(X, Y, weight)
    assert [model.n_iter_ for model in models] == [alone.n_iter_] * 2
    for result in fit_parts(X, Y, sample_weight=lambda rank: np.zeros(30)):
        with pytest.raises(ValueError, match="sum of the weights is 0"):
            raise result


def test_groups_may_be_a_list():
    make = lambda: MLPClassifier((4,), max_iter=2, early_stopping=True)  # noqa: E731
    models = fit_parts(X, Y, make=make, groups=lambda rank: list(range(30)))
    assert [model.n_iter_ for model in models] == [2, 2]


def test_a_metric_that_fails_in_one_process():
    def metric(estimator, X, y):
        if metric.calls:
            metric.calls -= 1
            return 0.0
        raise ZeroDivisionError("no way")

    metric.calls = 1  # one of two processes gets by, in the first epoch
    make = lambda: MLPClassifier((4,), early_stopping=True, eval_metrics=metric)  # noqa: E731
    results = fit_parts(X, Y, make=make)
    assert {type(result) for result in results} == {ZeroDivisionError, RuntimeError}


def test_a_loss_of_ones_own_that_fails_late_fails_everywhere():
    def loss(outputs, targets):
        loss.calls -= (targets == 7).any()
        if loss.calls <= 0:
            raise ZeroDivisionError("no way")
        return ((outputs - targets) ** 2).sum(axis=1), 2 * (outputs - targets)

    loss.calls = 3
    y = Y.astype(float)
    y[59] = 7  # in the second process
    val = {"X_val": lambda rank: X[:30], "y_val": lambda rank: Y[:30].astype(float)}
    results = fit_parts(X, y, make=lambda: MLPRegressor(loss, max_iter=9), **val)
    assert isinstance(results[1], ZeroDivisionError)
    assert isinstance(results[0], Exception)


def test_a_run_that_could_not_begin_leaves_nothing_behind(monkeypatch):
    """The trainer goes on by itself, and looks at no processes any more."""
    models = in_processes(2, lambda rank: MLPClassifier((4,)).partial_fit(X, Y, classes=[0, 1, 2]))
    shares = models[0]._model.trainer
    with pytest.raises(ValueError, match="too few shards"):
        shares.run(X, Y, epochs=1, shared=Few())
    assert models[0].partial_fit(X, Y).t_ == 3 * 60


class Few:
    class transport:  # noqa: N801
        rank, size, interrupted = 0, 2, False

    bounds, subset, weight = [0, 60], None, None


def test_estimators_know_nothing_of_it():
    model = fit_parts(X, Y)[0]
    assert clone(model).get_params() == model.get_params()
    assert (model.predict(X) == model.__class__.predict(model, X)).all()
    assert not any("group" in name or "transport" in name for name in vars(model))
