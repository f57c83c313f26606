"""The core's training loop: steps against NumPy, memory, stopping, interruption, validation."""

import signal
import time

import numpy as np
import pytest
from builders import ROWS, WIDTHS, bits, build, problem, random_params, targets_for, trainer
from loops import each
from numeric import assert_norm_close
from reference import LOSSES, Mlp, penalised_step

from fastmlp import _core

pytestmark = pytest.mark.usefixtures("use_target")


def train_in_numpy(mlp, params, x, t, weight, *, loss, optimizer, hyper, rate, batch, epochs):
    """The loop of the core, written out."""
    slots = [[[np.zeros_like(p)] * 2 for p in layer] for layer in params]
    step, curve = 0, []
    for _ in range(epochs):
        total = 0.0
        for start in range(0, len(x), batch):
            rows = slice(start, start + batch)
            bare = Mlp(mlp.activations)
            value, gradients = bare.loss_and_gradients(x[rows], t[rows], params, loss, weight[rows])
            value += mlp.penalty(params)
            step, total = step + 1, total + value * len(x[rows])
            for i, layer in enumerate(gradients):
                new = []
                for j, g in enumerate(layer):
                    p = params[i][j]
                    penalty = (mlp.l1[i], mlp.l2[i]) if j == 0 else (0.0, 0.0)
                    update = (p, g, slots[i][j], rate, hyper, step, *penalty)
                    p, slots[i][j] = penalised_step(optimizer, *update)
                    new.append(p)
                params = [*params[:i], tuple(new), *params[i + 1 :]]
        curve.append(total / len(x))
    return params, curve


@each("optimizer", [row["name"] for row in _core.catalog()["optimizers"]])
@each("loss", list(LOSSES))
def test_training_is_the_formula(rng, optimizer, loss):
    output = LOSSES[loss].link
    network, mlp, params, x, _ = problem(rng, activations=("tanh", output))
    t, weight = targets_for(loss, rng, ROWS, WIDTHS[-1]), rng.uniform(0.5, 2, ROWS)
    rows = {row["name"]: row for row in _core.catalog()["optimizers"]}
    hyper = rows[optimizer]["hyperparameters"]
    how = {"loss": loss, "optimizer": optimizer, "rate": 0.01}
    teacher = trainer(network, batch_size=10, shuffle=False, **how)
    report = teacher.run(x, t, weight, epochs=5)
    expected, curve = train_in_numpy(
        mlp, params, x, t, weight, hyper=hyper, batch=10, epochs=5, **how
    )
    assert_norm_close(report["loss"], curve, 1e-10)
    for i, (w, b) in enumerate(expected):
        assert_norm_close(network.get_params()[0][i], w, 1e-10)
        assert_norm_close(network.get_params()[1][i], b, 1e-10)


def test_report_has_an_entry_per_epoch(rng):
    network, _, _, x, t = problem(rng)
    teacher = trainer(network)
    report = teacher.run(x, t, epochs=3)
    assert (report["stopped"], report["epochs"]) == ("max_epochs", 3)
    assert report["rate"] == [0.05] * 3
    assert all(len(report[key]) == 3 for key in ("loss", "rate", "seconds"))
    assert all(second >= 0 for second in report["seconds"])
    assert (report["failed_epoch"], report["failed_batch"], report["best_epoch"]) == (0, 0, 0)
    assert teacher.steps == 3 * -(-ROWS // 16)
    np.testing.assert_equal(teacher.report, report)  # for which NaN equals NaN


def test_dropout_trains_on_masked_inputs(rng):
    """Dropout makes ridge regression of a linear model: the weights shrink."""
    x, w = rng.normal(size=(4000, 5)), np.arange(1.0, 6.0)[:, None]
    norms = {}
    for mode in ("inverted", "classic"):
        mlp, params = Mlp(("identity",)), [(np.zeros((5, 1)), np.zeros(1))]
        network = build("float64", (5, 1), mlp, params, input_dropout=0.5, dropout_mode=mode)
        trainer(network, rate=0.01, batch_size=50).run(x, x @ w, epochs=20)
        prediction = network.predict(x)
        norms[mode] = np.linalg.norm(prediction) / np.linalg.norm(x @ w)
    # E[mask^2] adds p/(1-p) |w|^2 to the objective of unit variance inputs: everything is halved.
    assert norms["inverted"] == pytest.approx(0.5, abs=0.08)
    assert norms["classic"] == pytest.approx(0.5, abs=0.08)


# Memory


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_step_allocates_nothing(rng, dtype, n_threads):
    network, _, _, x, t = problem(rng, dtype)
    teacher = trainer(network, optimizer="adam")
    teacher.run(x, t, epochs=1, n_threads=n_threads)

    def allocations(epochs):
        before = _core.allocation_count()
        teacher.run(x, t, epochs=epochs, n_threads=n_threads)
        return _core.allocation_count() - before

    assert allocations(1) == allocations(20)


# Stopping


@pytest.mark.parametrize(("row", "batch"), [(0, 1), (20, 2), (ROWS - 1, 4)])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_loss_stops_at_once(rng, dtype, row, batch, bad):
    network, _, _, x, t = problem(rng, dtype, activations=("relu", "identity"))
    teacher = trainer(network, shuffle=False)
    t[row, 0] = bad
    before = network.get_params()
    report = teacher.run(x, t, epochs=5)
    assert report["stopped"] == "non_finite"
    assert (report["failed_epoch"], report["failed_batch"]) == (1, batch)
    assert (report["epochs"], report["loss"]) == (0, [])
    assert_same_params(network, before)


def assert_same_params(network, expected):
    for arrays, exact in zip(network.get_params(), expected, strict=True):
        for array, exact_array in zip(arrays, exact, strict=True):
            np.testing.assert_array_equal(array, exact_array)


def test_divergence_is_named_and_leaves_the_weights_of_the_beginning(rng):
    network, _, _, x, t = problem(rng, "float32", activations=("relu", "identity"))
    before = network.get_params()
    report = trainer(network, rate=1e6).run(x, t, epochs=50)
    assert report["stopped"] == "non_finite"
    assert report["failed_epoch"] == report["epochs"] + 1
    assert_same_params(network, before)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_weights_of_a_large_network_come_back(rng, n_threads):
    widths, mlp = (1100, 1000, 3), Mlp(("relu", "identity"))
    network = build("float32", widths, mlp, random_params(rng, widths))
    x, t = rng.normal(size=(64, 1100)), rng.normal(size=(64, 3))
    before = network.get_params()
    report = trainer(network, rate=1e9).run(x, t, epochs=50, n_threads=n_threads)
    assert report["stopped"] == "non_finite"
    assert_same_params(network, before)


def test_ctrl_c_in_a_callback_keeps_what_was_learnt(rng, dtype):
    network, _, _, x, t = problem(rng, dtype)
    before = network.get_params()

    def interrupt(report):
        raise KeyboardInterrupt

    teacher = trainer(network)
    with pytest.raises(KeyboardInterrupt):
        teacher.run(x, t, epochs=3, on_epoch_end=interrupt)
    assert teacher.report["epochs"] == 1
    assert not np.array_equal(network.get_params()[0][0], before[0][0])


def test_callback_sees_each_epoch_and_stops(rng):
    network, _, _, x, t = problem(rng)
    seen = []

    def stop_at_three(epoch):
        seen.append(epoch)
        return epoch["epoch"] == 3

    report = trainer(network).run(x, t, epochs=10, on_epoch_end=stop_at_three)
    assert (report["stopped"], report["epochs"]) == ("callback", 3)
    assert [epoch["epoch"] for epoch in seen] == [1, 2, 3]
    assert [epoch["loss"] for epoch in seen] == report["loss"]
    assert all(np.isnan(epoch["val_score"]) for epoch in seen)


def test_callback_that_returns_none_goes_on(rng):
    network, _, _, x, t = problem(rng)
    report = trainer(network).run(x, t, epochs=4, on_epoch_end=lambda epoch: None)
    assert report["epochs"] == 4


def test_exception_in_a_callback_leaves_things_valid(rng):
    network, mlp, params, x, t = problem(rng)

    def fail_at_two(epoch):
        if epoch["epoch"] == 2:
            raise RuntimeError("the dog ate the log file")

    teacher = trainer(network)
    with pytest.raises(RuntimeError, match=r"the dog ate"):
        teacher.run(x, t, epochs=10, on_epoch_end=fail_at_two)
    assert teacher.report["epochs"] == 2
    other = build("float64", WIDTHS, mlp, params)
    trainer(other).run(x, t, epochs=2)
    assert bits(network) == bits(other)
    assert teacher.run(x, t, epochs=1)["epochs"] == 1


def test_exception_with_a_validation_set_restores_the_best(rng):
    network, *_, x, t = problem(rng)
    best = []

    def keep_then_fail(epoch):
        best.append((epoch["val_score"], bits(network)))
        if epoch["epoch"] == 6:
            raise RuntimeError

    teacher = trainer(network, monitor="val_loss", rate=0.3)
    with pytest.raises(RuntimeError):
        teacher.run(
            x[:40], t[:40], epochs=10, x_val=x[40:], t_val=t[40:], on_epoch_end=keep_then_fail
        )
    assert bits(network) == max(best, key=lambda pair: pair[0])[1]


@pytest.mark.parametrize("one_long_epoch", [True, False])
@pytest.mark.parametrize("n_threads", [1, 0])
def test_control_c_is_heard(rng, one_long_epoch, n_threads):
    rows, widths = (200_000, (32, 1024, 512, 4)) if one_long_epoch else (ROWS, WIDTHS)
    mlp = Mlp(["tanh"] * (len(widths) - 2) + ["identity"])
    network = build("float32", widths, mlp, random_params(rng, widths))
    x = rng.normal(size=(rows, widths[0])).astype("float32")
    t = np.zeros((rows, widths[-1]), "float32")
    teacher = trainer(network)
    before = bits(network)
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            teacher.run(x, t, epochs=200_000, n_threads=n_threads)
        seconds = time.perf_counter() - start
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert seconds < 1.3
    assert teacher.steps > 0
    assert (teacher.report["epochs"] == 0) == one_long_epoch
    assert bits(network) != before
    assert all(np.isfinite(array).all() for arrays in network.get_params() for array in arrays)
    assert teacher.run(x[:50], t[:50], epochs=1)["stopped"] == "max_epochs"


# Validation


def test_best_weights_are_restored(rng):
    network, *_, x, t = problem(rng)
    seen = []
    report = trainer(network, monitor="val_loss", rate=0.3).run(
        x[:40],
        t[:40],
        epochs=12,
        x_val=x[40:],
        t_val=t[40:],
        on_epoch_end=lambda epoch: seen.append(bits(network)),
    )
    best = int(np.argmax(report["val_score"]))
    assert report["best_epoch"] == best + 1
    assert bits(network) == seen[best]
    assert len(report["val_score"]) == 12
    validation_loss = network.loss_and_gradients(x[40:], t[40:], "squared_error")[0]
    assert -report["val_score"][best] <= validation_loss  # which has the penalty on top


@pytest.mark.parametrize(
    ("monitor", "loss", "output", "kind"),
    [
        ("accuracy", "cross_entropy", "softmax", "labels"),
        ("accuracy", "binary_cross_entropy", "logistic", "binary"),
        ("accuracy", "binary_cross_entropy", "logistic", "multilabel"),
        ("r2", "squared_error", "identity", "numbers"),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_scikit_learn(rng, monitor, loss, output, kind, weighted):
    from sklearn.metrics import accuracy_score, r2_score

    outputs = 1 if kind == "binary" else 4
    widths, rows = (6, 10, outputs), 200
    network = build("float64", widths, Mlp(("tanh", output)), random_params(rng, widths))
    x, score = rng.normal(size=(rows, 6)), rng.normal(size=(rows, outputs))
    t = {
        "labels": score.argmax(axis=1),
        "binary": (score > 0).astype(int),
        "multilabel": (score > 0).astype(int),
        "numbers": score,
    }[kind]
    weight = rng.uniform(0.5, 2, rows) if weighted else None
    report = trainer(network, loss=loss, monitor=monitor, rate=1e-300).run(
        x, t, epochs=1, x_val=x, t_val=t, sample_weight_val=weight
    )
    y = network.predict(x)
    if kind == "labels":
        expected = accuracy_score(t, y.argmax(axis=1), sample_weight=weight)
    elif monitor == "accuracy":
        expected = accuracy_score(t, (y > 0.5).astype(int), sample_weight=weight)
    else:
        expected = r2_score(t, y, sample_weight=weight)
    assert report["val_score"] == pytest.approx([expected], rel=1e-12)


def test_a_validation_loss_is_scaled_like_the_training_loss(rng):
    _, _, _, x, t = problem(rng)
    scores = []
    for scale in (1.0, 0.25):
        network, *_ = problem(np.random.default_rng(0))
        teacher = trainer(network, monitor="val_loss", loss_scale=scale)
        scores += teacher.run(x, t, epochs=1, x_val=x, t_val=t)["val_score"]
    assert scores[1] == pytest.approx(0.25 * scores[0])
