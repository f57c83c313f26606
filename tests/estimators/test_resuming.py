"""A fit that was cut off and goes on from a checkpoint: as if it had not been."""

import pickle

import numpy as np
import pytest
from samples import classes, labels, numbers
from scipy.sparse import csr_array

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.callbacks import Checkpoint

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = classes(n=230)
SMALL = {"hidden_layer_sizes": (9, 5), "max_iter": 14, "random_state": 0, "batch_size": 32}


class CutError(Exception):
    pass


class Cut:
    """Ends the process, as it were, behind an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def __call__(self, end):
        if end.epoch == self.epoch:
            raise CutError


def resumed(model, x, y, path, at, **given):
    """The model of a fit that was cut off behind epoch `at`."""
    first = model.set_params(callbacks=[Checkpoint(path, resumable=True), Cut(at)])
    with pytest.raises(CutError):
        first.fit(x, y, **given)
    checkpoint = fastmlp.load(path)
    assert checkpoint.n_iter_ == at
    again = type(model)(**model.get_params()).set_params(callbacks=None)
    return again.fit(x, y, **given, resume_from=checkpoint)


def assert_same(a, b):
    for name in ("coefs_", "intercepts_", "slopes_"):
        for ours, theirs in zip(getattr(a, name), getattr(b, name), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    histories = [{k: v for k, v in each.history_.items() if k != "seconds"} for each in (a, b)]
    np.testing.assert_equal(*histories)
    for name in ("n_iter_", "t_", "loss_", "best_loss_", "best_validation_score_", "best_epoch_"):
        assert getattr(a, name) == getattr(b, name), name
    assert a.stopped_ == b.stopped_
    np.testing.assert_array_equal(a.step_losses_, b.step_losses_)


SETTINGS = [
    {},
    {"solver": "sgd", "momentum": 0.8, "learning_rate": "invscaling"},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 2},
    {"learning_rate": "cosine", "dropout": 0.3, "dropout_input": 0.1},
    {"learning_rate": "one_cycle", "solver": "adamw"},
    {"early_stopping": True, "learning_rate_init": 0.05},
    {"early_stopping": True, "n_iter_no_change": 2, "tol": 0.1, "scoring": "loss"},
    {"early_stopping": True, "scoring": "f1_macro", "eval_metrics": ["accuracy", "f1_micro"]},
    {"solver": "rmsprop", "penalty": "l1", "alpha": 0.1, "clip_norm": 0.5},
    {"activation": "prelu", "dtype": "float64", "solver": "nadam", "shuffle": False},
    {"n_iter_no_change": 3, "tol": 1.0},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_result_is_the_same(settings, tmp_path):
    model = MLPClassifier(**SMALL | settings)
    whole = MLPClassifier(**SMALL | settings).fit(X, Y)
    for at in {1, whole.n_iter_ // 2, whole.n_iter_ - 1, whole.n_iter_}:
        assert_same(resumed(model, X, Y, tmp_path / "file", at), whole)


@pytest.mark.parametrize(
    ("kind", "data", "settings"),
    [
        (MLPClassifier, labels, {"loss": "focal", "gamma": 1.0}),
        (MLPClassifier, lambda n: classes(n, k=2), {"early_stopping": True}),
        (MLPRegressor, lambda n: numbers(n, k=3), {"loss": "gaussian", "early_stopping": True}),
        (MLPRegressor, numbers, {"loss": "quantile", "quantiles": [0.1, 0.9]}),
    ],
)
def test_other_targets(kind, data, settings, tmp_path):
    x, y = data(n=230)
    whole = kind(**SMALL | settings).fit(x, y)
    assert_same(resumed(kind(**SMALL | settings), x, y, tmp_path / "file", 6), whole)


def test_validation_sets_weights_and_groups(tmp_path):
    weight = np.random.default_rng(0).uniform(0.5, 2, 230)
    sets = {"X_val": (X[:50], X[50:90]), "y_val": (Y[:50], Y[50:90])}
    for given in (sets, {"groups": np.arange(230) // 7}):
        settings = SMALL | {"early_stopping": "groups" in given, "eval_metrics": None}
        whole = MLPClassifier(**settings).fit(X, Y, weight, **given)
        model = MLPClassifier(**settings)
        again = resumed(model, X, Y, tmp_path / "file", 5, sample_weight=weight, **given)
        assert_same(again, whole)


@pytest.mark.parametrize("kind", ["none", "generator"])
def test_whatever_was_drawn_is_drawn_again(kind, tmp_path):
    """Also where a fit would begin with other numbers: those of the checkpoint count."""

    def state():
        return None if kind == "none" else np.random.RandomState(3)

    settings = SMALL | {"early_stopping": True, "dropout": 0.2}
    path = tmp_path / "file"
    checkpoint = Checkpoint(path, resumable=True, every=6)
    whole = MLPClassifier(**settings | {"random_state": state()}, callbacks=checkpoint).fit(X, Y)
    model = MLPClassifier(**settings | {"random_state": 99})
    assert_same(model.fit(X, Y, resume_from=fastmlp.load(path)), whole)


def test_sparse_inputs_and_threads(tmp_path):
    x = csr_array(np.where(X > 0.5, X, 0))
    whole = MLPClassifier(**SMALL, n_jobs=1).fit(x, Y)
    assert_same(resumed(MLPClassifier(**SMALL, n_jobs=2), x, Y, tmp_path / "file", 6), whole)


def test_it_can_be_cut_off_twice(tmp_path):
    whole = MLPClassifier(**SMALL, early_stopping=True).fit(X, Y)
    model = MLPClassifier(**SMALL, early_stopping=True)
    path = tmp_path / "file"
    callbacks = [Checkpoint(path, resumable=True), Cut(4)]
    with pytest.raises(CutError):
        model.set_params(callbacks=callbacks).fit(X, Y)
    callbacks[1].epoch = 9
    with pytest.raises(CutError):
        model.fit(X, Y, resume_from=fastmlp.load(path))
    callbacks[1].epoch = 0
    assert_same(model.fit(X, Y, resume_from=fastmlp.load(path)), whole)


def test_training_can_be_made_longer(tmp_path):
    path = tmp_path / "file"
    MLPClassifier(**SMALL, callbacks=Checkpoint(path, resumable=True)).fit(X, Y)
    longer = MLPClassifier(**SMALL | {"max_iter": 20})
    whole = MLPClassifier(**SMALL | {"max_iter": 20}).fit(X, Y)
    assert_same(longer.fit(X, Y, resume_from=fastmlp.load(path)), whole)


def test_epochs_are_counted_on(tmp_path, capsys):
    seen, path = [], tmp_path / "file"
    MLPClassifier(**SMALL | {"max_iter": 5}, callbacks=Checkpoint(path, resumable=True)).fit(X, Y)
    model = MLPClassifier(**SMALL | {"max_iter": 8, "verbose": 2})
    model.set_params(callbacks=lambda end: seen.append((end.epoch, end.snapshot().n_iter_)))
    model.fit(X, Y, resume_from=fastmlp.load(path))
    assert seen == [(6, 6), (7, 7), (8, 8)]
    assert "8" in capsys.readouterr().out.splitlines()[-1]


def test_a_checkpoint_is_a_fitted_model(tmp_path):
    path, kept = tmp_path / "file", []
    model = MLPClassifier(**SMALL, early_stopping=True)
    model.set_params(
        callbacks=[Checkpoint(path, resumable=True), lambda end: kept.append(end.snapshot())]
    ).fit(X, Y)
    checkpoint = fastmlp.load(path)
    np.testing.assert_array_equal(checkpoint.predict(X), kept[-1].predict(X))
    again = pickle.loads(pickle.dumps(checkpoint))
    assert_same(model.fit(X, Y, resume_from=again), model.fit(X, Y))
    checkpoint.fit(X, Y)  # which makes another model of it
    with pytest.raises(ValueError, match="not saved to be resumed"):
        model.fit(X, Y, resume_from=checkpoint)


def test_what_cannot_be_resumed(tmp_path):
    path, plain = tmp_path / "file", tmp_path / "plain"
    how = SMALL | {"max_iter": 3}
    both = [Checkpoint(path, resumable=True), Checkpoint(plain)]
    model = MLPClassifier(**how, callbacks=both).fit(X, Y)
    checkpoint, before = fastmlp.load(path), model.coefs_[0]
    cases = [
        (MLPClassifier(**how), {"resume_from": fastmlp.load(plain)}, "not saved to be resumed"),
        (MLPClassifier(**how, alpha=1.0), {}, r"made with alpha=0.0001; got 1.0"),
        (MLPClassifier(**how, warm_start=True), {}, "made with warm_start=False; got True"),
        (MLPClassifier(**how), {"X": X[:99], "y": Y[:99]}, "another number of samples than 99"),
        (MLPClassifier(**how), {"X": X[:, :3]}, "another network"),
        (MLPClassifier(**how), {"y": np.arange(230) % 9}, "other targets"),
    ]
    for other, given, match in cases:
        with pytest.raises(ValueError, match=match):
            other.fit(**{"X": X, "y": Y, "resume_from": checkpoint} | given)
        assert not hasattr(other, "coefs_")
    for wrong in (path, MLPRegressor(**how), 3):
        with pytest.raises(TypeError, match="resume_from must be an MLPClassifier"):
            model.fit(X, Y, resume_from=wrong)
    assert model.coefs_[0] is before
    resumable = Checkpoint(path, resumable=True)
    with pytest.raises(ValueError, match="only resumable in fit"):
        MLPClassifier(**how, solver="lbfgs", callbacks=resumable).fit(X, Y)
    with pytest.raises(ValueError, match="only resumable in fit"):
        MLPClassifier(**how, callbacks=resumable).partial_fit(X, Y, classes=np.unique(Y))
    odd = np.random.RandomState(np.random.PCG64(0))
    with pytest.raises(ValueError, match="PCG64"):
        MLPClassifier(**how | {"random_state": odd}, callbacks=resumable).fit(X, Y)
    with pytest.raises(ValueError, match="made with solver='adam'; got 'lbfgs'"):
        MLPClassifier(**how, solver="lbfgs").fit(X, Y, resume_from=checkpoint)


def test_other_data_are_noticed(tmp_path):
    path = tmp_path / "file"
    MLPClassifier(**SMALL, callbacks=Checkpoint(path, resumable=True, every=7)).fit(X, Y)
    checkpoint = fastmlp.load(path)
    others = np.array(["x", "y", "z"])[np.unique(Y, return_inverse=True)[1]]
    with pytest.raises(ValueError, match="trained on other targets"):
        MLPClassifier(**SMALL).fit(X, others, resume_from=checkpoint)
    with pytest.raises(ValueError, match="a validation set"):
        MLPClassifier(**SMALL).fit(X, Y, X_val=X, y_val=Y, resume_from=checkpoint)


def test_whatever_becomes_of_the_checkpoint_meanwhile(tmp_path):
    path = tmp_path / "file"
    whole = MLPClassifier(**SMALL, callbacks=Checkpoint(path, resumable=True, every=7)).fit(X, Y)
    checkpoint = fastmlp.load(path)
    model = MLPClassifier(
        **SMALL, callbacks=lambda end: checkpoint.set_params(max_iter=1).fit(X, Y)
    )
    assert_same(model.fit(X, Y, resume_from=checkpoint), whole)


def test_a_snapshot_is_of_the_hook_alone():
    """A thread that a callback leaves behind may not look at what is being changed."""
    import threading

    from fastmlp import _core

    found = []

    def later(trainer, go):
        go.wait()
        for _ in range(200):
            try:
                trainer.copy_network()
                trainer.get_state()
            except RuntimeError as error:
                found.append(str(error))

    layers = [("relu", 300, None), ("identity", 3, None)]
    network = _core.NetworkFloat32(6, [_core.DenseSpec([layer]) for layer in layers])
    trainer = _core.TrainerFloat32(network, loss="mse", optimizer="adam", rate=1e-3, batch_size=64)
    x = np.random.default_rng(0).normal(size=(4000, 6)).astype("f")
    go = threading.Event()
    thread = threading.Thread(target=later, args=(trainer, go))
    thread.start()
    trainer.run(x, x[:, :3], epochs=30, on_epoch_end=lambda _: go.set() or False)
    thread.join()
    assert found
    assert set(found) == {"it is training already, in another call"}


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True, "n_iter_no_change": 2}], ids=str)
def test_what_follows_is_the_same_too(settings, tmp_path):
    """Also behind a fit that had come to its end before it was resumed."""
    path = tmp_path / "file"
    settings = {**SMALL, **settings}
    whole = MLPClassifier(**settings, callbacks=Checkpoint(path, resumable=True)).fit(X, Y)
    again = MLPClassifier(**settings).fit(X, Y, resume_from=fastmlp.load(path))
    assert_same(again, whole)
    for model in (whole, again):
        model.set_params(early_stopping=False, callbacks=None).partial_fit(X, Y)
    np.testing.assert_array_equal(again.coefs_[0], whole.coefs_[0])


def test_a_warm_start_has_no_checkpoint_to_resume(tmp_path):
    path = tmp_path / "file"
    settings = {**SMALL, "warm_start": True}
    whole = MLPClassifier(**settings, callbacks=Checkpoint(path, resumable=True, every=7)).fit(X, Y)
    assert_same(MLPClassifier(**settings).fit(X, Y, resume_from=fastmlp.load(path)), whole)
    with pytest.raises(ValueError, match="not in a warm start"):
        whole.fit(X, Y)
    with pytest.raises(ValueError, match="warm_start=True with another"):
        whole.fit(X, Y, resume_from=fastmlp.load(path))


def test_metrics_that_are_functions_are_left_out_of_the_file(tmp_path):
    def metric(estimator, X, y):
        return 1.0

    path = tmp_path / "file"
    settings = {**SMALL, "early_stopping": True, "eval_metrics": [metric]}
    whole = MLPClassifier(**settings, callbacks=Checkpoint(path, resumable=True, every=7)).fit(X, Y)
    assert_same(MLPClassifier(**settings).fit(X, Y, resume_from=fastmlp.load(path)), whole)
