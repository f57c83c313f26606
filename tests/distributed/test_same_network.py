"""Several processes train the network that one has, whatever their number and whoever has what."""

import numpy as np
import pytest
import scipy.sparse
from loops import each
from processes import in_processes
from sklearn.datasets import load_digits, make_regression

from fastmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:lbfgs failed")

DIGITS = load_digits(return_X_y=True)
X, LABELS = DIGITS[0][:700] / 16, np.array(list("abcdefghij"))[DIGITS[1][:700]]
NUMBERS = make_regression(300, 12, n_targets=2, random_state=0)
WEIGHT = np.random.default_rng(0).random(700)
ROUNDING = 200 * 2.0**-24  # of a sum over a batch in float32, whose order is another


def classifier(**parameters):
    return MLPClassifier(
        **{"hidden_layer_sizes": (24, 16), "max_iter": 4, "random_state": 0} | parameters
    )


def parts(size, n):
    """Unequal parts of n samples, the last one empty where there are four."""
    cuts = {1: [], 2: [0.3], 3: [0.5, 0.6], 4: [0.1, 0.4, 1.0]}[size]
    return np.split(np.arange(n), [int(n * cut) for cut in cuts])


def fit_in(size, make, inputs, y, weight=None, shards=None, **fit_params):
    rows = parts(size, inputs.shape[0])

    def fit(rank):
        own = rows[rank]
        return make().fit(
            inputs[own], y[own], None if weight is None else weight[own], **fit_params
        )

    models = in_processes(size, fit, shards)
    for model in models:
        if isinstance(model, BaseException):
            raise model
    return models


def bits(model):
    arrays = [*model.coefs_, *model.intercepts_, *model.slopes_, model.step_losses_]
    return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


CASES = {
    "plain": {},
    "many shards": {"shards": 12},
    "narrow": {"hidden_layer_sizes": (3,), "activation": "tanh"},
    "wide": {"hidden_layer_sizes": (300,), "batch_size": 64, "max_iter": 2},
    "deep": {"hidden_layer_sizes": (20,) * 5, "activation": "gelu"},
    "sgd": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
    "schedule": {"learning_rate": "cosine", "solver": "adamw"},
    "clipped": {"clip_norm": 0.1},
    "elastic net": {"penalty": "elasticnet", "alpha": 0.1},
    "ragged batches": {"batch_size": 33, "shuffle": False},
    "batches of one": {"batch_size": 1, "max_iter": 1},
    "whole": {"batch_size": "full"},
    "learned slopes": {"activation": "prelu"},
    "float64": {"dtype": "float64"},
    "smoothed": {"label_smoothing": 0.1, "class_weight": "balanced"},
    "hinge": {"loss": "hinge"},
    "early stopping": {"early_stopping": True},
    "scored by a name": {
        "early_stopping": True,
        "scoring": "f1_macro",
        "eval_metrics": ["accuracy"],
    },
    "weights": {"weight": WEIGHT},
    "sparse": {"inputs": scipy.sparse.csr_array(X)},
    "integers": {"inputs": (X * 16).astype(np.uint8)},
    "lbfgs": {"solver": "lbfgs", "max_iter": 8},
}


def run(size, case, extra=None):
    case = dict(case) | (extra or {})
    inputs, weight = case.pop("inputs", X), case.pop("weight", None)
    shards = case.pop("shards", None)
    return fit_in(size, lambda: classifier(**case), inputs, LABELS, weight, shards)


@each("name", CASES)
def test_bits_do_not_depend_on_the_number_of_processes(name):
    first = run(1, CASES[name])[0]
    for size in (2, 3, 4):
        for model in run(size, CASES[name]):
            assert bits(model) == bits(first), size
            assert model.history_.keys() == first.history_.keys()
            assert model.history_["loss"] == first.history_["loss"]


@each("name", [name for name in CASES if name != "lbfgs"])
def test_losses_are_those_of_one_process(name):
    """To the rounding of the sums: weights and order of the samples are the same."""
    case = dict(CASES[name])
    case.pop("shards", None)
    inputs, weight = case.pop("inputs", X), case.pop("weight", None)
    alone = classifier(**case).fit(inputs, LABELS, weight)
    model = run(2, CASES[name])[0]
    np.testing.assert_allclose(model.loss_curve_, alone.loss_curve_, rtol=ROUNDING)
    assert (model.n_iter_, model.t_, model.stopped_) == (alone.n_iter_, alone.t_, alone.stopped_)
    assert list(model.classes_) == list(alone.classes_)


@each("n_jobs", [1, 2, 4])
def test_nor_on_the_number_of_threads(n_jobs):
    case = {"dropout": 0.3, "clip_norm": 0.5, "hidden_layer_sizes": (64, 32)}
    first = run(1, case, {"n_jobs": 1})[0]
    assert bits(run(2, case, {"n_jobs": n_jobs})[0]) == bits(first)


@each("target", ["float32", "float64"])
def test_regression_with_several_targets(target):
    inputs, y = NUMBERS
    make = lambda: MLPRegressor(max_iter=3, random_state=0, dtype=target)  # noqa: E731
    first = fit_in(1, make, inputs, y)[0]
    alone = make().fit(inputs, y)
    np.testing.assert_allclose(first.loss_curve_, alone.loss_curve_, rtol=ROUNDING)
    for size in (2, 3, 4):
        assert bits(fit_in(size, make, inputs, y)[-1]) == bits(first)


def test_dropout_has_masks_of_its_own():
    """They are drawn by shard, so that they are not those of a process by itself."""
    models = [run(size, {"dropout": 0.3, "dropout_input": 0.1})[0] for size in (1, 2, 3, 4)]
    assert len({bits(model) for model in models}) == 1
    assert models[0].loss_curve_[-1] < models[0].loss_curve_[0]


def test_a_class_that_one_process_lacks():
    order = np.argsort(LABELS, kind="stable")  # the first process has a, b and c alone
    models = fit_in(2, classifier, X[order], LABELS[order])
    assert [list(model.classes_) for model in models] == [list("abcdefghij")] * 2


def test_a_validation_set_is_given_in_parts():
    def fit(rank):
        own = slice(0, 300) if rank == 0 else slice(300, 500)
        val = slice(500, 620) if rank == 0 else slice(620, 700)
        return classifier().fit(X[own], LABELS[own], X_val=X[val], y_val=LABELS[val])

    models = in_processes(2, fit)
    alone = classifier().fit(X[:500], LABELS[:500], X_val=X[500:], y_val=LABELS[500:])
    assert bits(models[0]) == bits(models[1])
    np.testing.assert_allclose(
        models[0].history_["val_loss"], alone.history_["val_loss"], rtol=1e-5
    )


def test_frames_keep_their_names_for_scorers():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(64)])

    def fit(rank):
        own = slice(0, 150) if rank == 0 else slice(150, 700)
        model = classifier(early_stopping=True, scoring="accuracy")
        return model.fit(frame.iloc[own], LABELS[own])

    models = in_processes(2, fit)
    alone = classifier(early_stopping=True, scoring="accuracy").fit(frame, LABELS)
    assert models[1].validation_scores_ == alone.validation_scores_


def test_groups_stay_together():
    groups = np.arange(700) // 7

    def fit(rank):
        own = slice(0, 350) if rank == 0 else slice(350, 700)
        model = classifier(early_stopping=True)
        return model.fit(X[own], LABELS[own], groups=groups[own])

    models = in_processes(2, fit)
    alone = classifier(early_stopping=True).fit(X, LABELS, groups=groups)
    np.testing.assert_allclose(models[0].loss_curve_, alone.loss_curve_, rtol=ROUNDING)


def test_streams_go_on():
    """partial_fit, and the optimizer's memory, which each process has updated a part of.

    In float64, where a sum over a batch is off by 200 * 2**-53 of its largest terms; three steps
    later that leaves ten digits.
    """

    def fit(rank):
        model = classifier(dtype="float64")
        for begin in range(0, 600, 200):
            own = slice(begin + 100 * rank, begin + 100 * rank + 100)
            model.partial_fit(X[own], LABELS[own], classes=np.unique(LABELS))
        return model

    models = in_processes(2, fit)
    alone = classifier(dtype="float64")
    for begin in range(0, 600, 200):
        rows = slice(begin, begin + 200)
        alone.partial_fit(X[rows], LABELS[rows], classes=np.unique(LABELS))
    assert bits(models[0]) == bits(models[1])
    np.testing.assert_allclose(models[0].loss_curve_, alone.loss_curve_, rtol=ROUNDING)
    state, expected = (m._model.trainer.get_state() for m in (models[1], alone))
    for slot, other in zip(state["slots"], expected["slots"], strict=True):
        for array, its in zip(slot[0], other[0], strict=True):
            np.testing.assert_allclose(array, its, rtol=0, atol=1e-10 * abs(its).max())


def test_a_warm_start_goes_on():
    def fit(rank):
        own = slice(0, 350) if rank == 0 else slice(350, 700)
        model = classifier(warm_start=True)
        return model.fit(X[own], LABELS[own]).fit(X[own], LABELS[own])

    models = in_processes(2, fit)
    alone = classifier(warm_start=True).fit(X, LABELS).fit(X, LABELS)
    assert bits(models[0]) == bits(models[1])
    np.testing.assert_allclose(models[0].loss_curve_, alone.loss_curve_, rtol=ROUNDING)


def test_a_loss_of_ones_own():
    def squares(outputs, targets):
        return ((outputs - targets) ** 2).sum(axis=1) / 2, outputs - targets

    inputs, y = NUMBERS
    make = lambda: MLPRegressor(squares, max_iter=3, random_state=0)  # noqa: E731
    first = fit_in(1, make, inputs, y)[0]
    for size in (2, 3):
        assert bits(fit_in(size, make, inputs, y)[0]) == bits(first)


def test_what_is_drawn_comes_from_the_first_process():
    def fit(rank):
        own = slice(0, 350) if rank == 0 else slice(350, 700)
        state = np.random.RandomState(rank)
        drawn = classifier(random_state=None).fit(X[own], LABELS[own])
        return drawn, classifier(random_state=state).fit(X[own], LABELS[own])

    (a, b), (c, d) = in_processes(2, fit)
    assert bits(a) == bits(c)
    assert bits(b) == bits(d)


def test_predictions_and_scores_stay_at_home():
    models = run(2, {})
    assert (models[0].predict(X) == models[1].predict(X)).all()
