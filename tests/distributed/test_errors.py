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
        with pytest.raises(NotImplementedError, match="several processes together"):
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


def test_estimators_know_nothing_of_it():
    model = fit_parts(X, Y)[0]
    assert clone(model).get_params() == model.get_params()
    assert (model.predict(X) == model.__class__.predict(model, X)).all()
    assert not any("group" in name or "transport" in name for name in vars(model))
