"""One object and several threads: training twice at once is refused, and whoever predicts or copies
meanwhile sees the whole old model or the whole new one."""

import contextlib
import copy
import pickle
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import sklearn
from threadpoolctl import threadpool_info

from fastmlp import (
    Dense,
    MLPClassifier,
    MLPRegressor,
    Network,
    Perceptron,
    load,
    save,
    to_sklearn,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 8)).astype(np.float32)
Y = X[:, 0] - X[:, 1]
SMALL = {"hidden_layer_sizes": (16,), "max_iter": 5, "random_state": 0}


def run(*calls):
    """Call them in threads at once; return the errors."""
    errors = []

    def guard(call):
        try:
            call()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=guard, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def repeat(call, times):
    """Call until so many calls have succeeded."""
    done = 0
    while done < times:
        try:
            call()
        except RuntimeError as error:
            assert "training already" in str(error)  # noqa: PT017 - and try again
            time.sleep(0.001)
        else:
            done += 1


def test_training_twice_at_once_is_refused():
    """Also from a callback of the fit itself, and the first one goes on as if nothing had been."""
    calls = {
        "fit": lambda model: model.fit(X, Y),
        "partial_fit": lambda model: model.partial_fit(X, Y),
        "in a thread": lambda model: run(lambda: model.fit(X, Y))[0],
    }
    for name, call in calls.items():
        model, found = MLPRegressor(**SMALL), []

        def again(end, call=call, found=found, model=model):
            try:
                found.append(call(model))
            except RuntimeError as refused:
                found.append(refused)

        model.set_params(callbacks=again).fit(X, Y)
        assert len(found) == 5, name
        for error in found:
            assert "Can't train this MLPRegressor now: it is training already" in str(error)
        plain = MLPRegressor(**SMALL).fit(X, Y)
        np.testing.assert_array_equal(model.coefs_[0], plain.coefs_[0])
        assert model.history_["loss"] == plain.history_["loss"]


@pytest.mark.parametrize("kind", ["estimator", "network", "perceptron"])
def test_six_threads_train_one_object(kind):
    if kind == "estimator":
        thing = MLPRegressor(**SMALL).partial_fit(X, Y)
        calls = [lambda n=n: thing.partial_fit(X[:n], Y[:n]) for n in (3, 40, 150, 7, 300, 90)]
    elif kind == "network":
        thing = Network([Dense(16, "tanh"), Dense(1)], 8, random_state=0)
        how = {"loss": "mse", "epochs": 1}
        calls = [lambda n=n: thing.fit(X[:n], Y[:n], **how) for n in (3, 40, 150, 7, 300, 90)]
    else:
        thing, y = Perceptron(max_iter=2).fit(X, Y > 0), Y > 0
        calls = [lambda n=n: thing.partial_fit(X[:n], y[:n]) for n in (30, 40, 150, 70, 300, 90)]
    assert run(*[lambda call=call: repeat(call, 15) for call in calls]) == []
    if kind == "estimator":
        assert len(thing.history_["loss"]) == len(thing.loss_curve_) == 91
        assert {len(column) for column in thing.history_.values()} == {91}
        assert np.isfinite(thing.predict(X)).all()
    elif kind == "network":
        assert np.isfinite(thing(X)).all()
    else:
        assert len(thing.mistakes_) - thing.n_iter_ >= 90


def test_a_model_that_is_fitted_anew_is_the_old_one_or_the_new_one():
    """With other classes, widths, and numbers of features, in turns."""
    sets = [
        (X, np.array(["ant", "bee"])[(Y > 0).astype(int)], (4,)),
        (X, np.array(["cow", "dog", "eel"])[np.arange(300) % 3], (32, 8)),
    ]
    wholes, model = [], MLPClassifier(**SMALL)
    for x, y, layers in sets:
        model.set_params(hidden_layer_sizes=layers).fit(x, y)
        wholes.append((model.predict(X).tolist(), model.predict_proba(X).tobytes()))
    labels, shares = [w[0] for w in wholes], [w[1] for w in wholes]
    done = threading.Event()

    def train():
        for i in range(30):
            x, y, layers = sets[i % 2]
            model.set_params(hidden_layer_sizes=layers).fit(x, y)
        done.set()

    def look():
        while not done.is_set():
            assert model.predict(X).tolist() in labels
            assert model.predict_proba(X).tobytes() in shares
            assert model.predict_log_proba(X).shape in ((300, 2), (300, 3))
            zs, ys = model.forward(X)
            assert len(zs) == len(ys) in (2, 3)

    assert run(train, look, look) == []


def test_copies_of_a_model_in_training_are_whole(tmp_path):
    model = MLPRegressor(**SMALL | {"max_iter": 2}).fit(X, Y)
    done, count = threading.Event(), [0]

    def train():
        try:
            for _ in range(60):
                repeat(lambda: model.partial_fit(X, Y), 1)
        finally:
            done.set()

    def look():
        while not done.is_set():
            for make in (lambda: pickle.loads(pickle.dumps(model)), lambda: copy.deepcopy(model)):
                try:
                    other = make()
                except RuntimeError as error:
                    assert "training already" in str(error)  # noqa: PT017 - and try again
                    continue
                count[0] += 1
                assert len({len(column) for column in other.history_.values()}) == 1
                assert len(other.loss_curve_) * 300 == other.t_
                assert np.isfinite(other.predict(X)).all()
            save(model, tmp_path / "model")

    assert run(train, look) == []
    assert model.t_ == 62 * 300


def test_a_network_in_training_gives_what_it_was():
    net = Network([Dense(16, "tanh"), Dense(1)], 8, random_state=0)
    outputs, done = [net(X).tobytes()], threading.Event()

    def train():
        for _ in range(40):
            net.fit(X, Y, loss="mse", epochs=3)
            outputs.append(net(X).tobytes())
        done.set()

    seen = []

    def look():
        while not done.is_set():
            seen.append(net(X).tobytes())
            net.loss_and_gradients(X, Y, "mse")

    assert run(train, look) == []
    assert set(seen) <= set(outputs)


def test_weights_can_not_be_set_while_training():
    net = Network([Dense(16, "tanh"), Dense(1)], 8, random_state=0)
    params, found, trained = net.params, [], []

    def train():
        while not trained:
            with contextlib.suppress(RuntimeError):  # where the other thread came first
                net.fit(X, Y, loss="mse", epochs=2000)
                trained.append(True)

    def change():
        while not found and thread.is_alive():
            try:
                net.params = params
            except RuntimeError as error:
                found.append(str(error))

    thread = threading.Thread(target=train)
    thread.start()
    change()
    thread.join()
    assert "training already" in found[0]


def test_parameters_set_meanwhile_stay():
    def set_it(end):
        model.set_params(learning_rate_init=0.5).remark = end.epoch

    model = MLPRegressor(**SMALL, callbacks=set_it)
    plain = MLPRegressor(**SMALL).fit(X, Y)
    model.fit(X, Y)
    np.testing.assert_array_equal(model.coefs_[0], plain.coefs_[0])
    assert (model.learning_rate_init, model.remark) == (0.5, 5)


def test_an_error_in_a_partial_fit_leaves_a_model_that_goes_on():
    def fail(end):
        if end.epoch == 3:
            raise RuntimeError("enough")

    model = MLPRegressor(**SMALL | {"max_iter": 1}, callbacks=fail)
    model.partial_fit(X, Y).partial_fit(X, Y)
    before, history = model.predict(X), copy.deepcopy(model.history_)
    with pytest.raises(RuntimeError, match="enough"):
        model.partial_fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.history_ == history
    model.set_params(callbacks=None).partial_fit(X, Y)
    assert len(model.loss_curve_) == 3
    with pytest.raises(ValueError, match="NaN"):  # which is found before anything is done
        model.partial_fit(np.full_like(X, np.nan), Y)
    same = copy.deepcopy(model)
    np.testing.assert_array_equal(
        model.partial_fit(X, Y).predict(X), same.partial_fit(X, Y).predict(X)
    )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in a finaliser
def test_ctrl_c_never_leaves_a_model_locked():
    """Wherever it falls, a model can be trained again, and its records go together."""
    x, y = X[:16, :4].copy(), Y[:16]
    model = MLPRegressor(hidden_layer_sizes=(3,), random_state=0).partial_fit(x, y)
    draw, config = np.random.default_rng(0), sklearn.get_config()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(600):
            try:
                signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-4, 2e-3))
                for _ in range(100):
                    model.partial_fit(x, y)
            except KeyboardInterrupt:
                pass
            model.partial_fit(x, y)
            assert len(model.loss_curve_) * 16 == model.t_
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sklearn.set_config(**config)  # which an interrupt may have left as it is inside of fit


class TimeOutError(Exception):
    """Raised by a signal's handler."""


def test_an_error_from_anywhere_leaves_a_network_that_goes_on_from_what_it_shows():
    def handler(number, frame):
        raise TimeOutError

    net = Network([Dense(16, "tanh"), Dense(1)], 8, random_state=0)
    how = {"loss": "mse", "shuffle": False}
    net.fit(X, Y, epochs=2, **how)
    weights = net.params[0][0]
    loss, _ = net.loss_and_gradients(X[:128], Y[:128], "mse")
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(TimeOutError):
            net.fit(X, Y, epochs=10**9, **how)
    finally:
        signal.signal(signal.SIGALRM, before)
    np.testing.assert_array_equal(net.params[0][0], weights)
    net.fit(X, Y, epochs=1, **how)
    assert net.step_losses[0] == pytest.approx(loss, rel=1e-5)


def test_an_error_at_the_end_of_a_fit_leaves_history_as_it_was():
    model = MLPRegressor(**SMALL, solver="lbfgs", warm_start=True, tol=1e-12)
    model.fit(X, 1e9 + Y)
    before = copy.deepcopy(model.history_)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Warning):  # noqa: PT012
            model.fit(X, 1e9 + Y)
            raise UserWarning
    assert len(model.history_["loss"]) == len(before["loss"]) == len(model.loss_curve_)


def test_a_perceptron_that_raises_is_what_it_was():
    model = Perceptron(max_iter=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Warning, match="Maximum number of iterations"):
            model.fit(X, np.arange(300) % 2)
    assert not hasattr(model, "coef_")


def test_files_and_conversions_are_of_whole_models(tmp_path):
    sets = [(np.arange(300) % 2, (8,)), (np.arange(300) % 3, (5, 7))]
    model = MLPClassifier(**SMALL | {"max_iter": 1}).fit(X, sets[0][0])
    done = threading.Event()
    before = sys.getswitchinterval()

    def train():
        for i in range(60):
            y, layers = sets[i % 2]
            model.set_params(hidden_layer_sizes=layers).fit(X, y)
        done.set()

    def look():
        while not done.is_set():
            save(model, tmp_path / "model")
            loaded = load(tmp_path / "model")
            assert loaded.predict_proba(X).shape == (300, len(loaded.classes_))
            assert to_sklearn(model).predict_proba(X).shape in ((300, 2), (300, 3))

    sys.setswitchinterval(1e-6)
    try:
        assert run(train, look) == []
    finally:
        sys.setswitchinterval(before)


def test_blas_has_its_threads_back_behind_several_fits_at_once():
    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before, start = threads(), threading.Barrier(2)

    def fit(iterations):
        start.wait()
        MLPRegressor(
            hidden_layer_sizes=(8,), solver="lbfgs", max_iter=iterations, n_jobs=1, tol=0
        ).fit(X, Y)

    both = [threading.Thread(target=fit, args=(iterations,)) for iterations in (3, 60)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
    assert threads() == before
