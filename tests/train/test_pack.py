"""Many networks at once, one to a thread: each is as if it were trained alone."""

import signal
import time

import numpy as np
import pytest
from builders import bits, build, random_params, trainer
from reference import Mlp

from fastmlp import _core

pytestmark = pytest.mark.usefixtures("use_target")

WIDTHS = [(6, 20, 3), (6, 33, 17, 3), (6, 5, 3), (6, 64, 3)]


def data(seed, rows=200):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 6))
    return x, (x[:, :3] + rng.normal(size=(rows, 3)) / 2).argmax(axis=1)


def member(i, dtype, monitor="accuracy"):
    """A network and its trainer: another shape, start and rate for each."""
    widths = WIDTHS[i % len(WIDTHS)]
    mlp = Mlp([*["tanh"] * (len(widths) - 2), "softmax"])
    network = build(
        dtype, widths, mlp, random_params(np.random.default_rng(i), widths), input_dropout=0.1
    )
    settings = {"loss": "cross_entropy", "optimizer": "adam", "rate": 0.01 * (1 + i % 3), "seed": i}
    return network, trainer(network, **settings, monitor=monitor)


def packed(dtype, count, n_threads, epochs=12, patience=3, monitor="accuracy", **how):
    pack = getattr(_core, f"Pack{dtype.capitalize()}")()
    members = [member(i, dtype, monitor) for i in range(count)]
    for i, (_, teacher) in enumerate(members):
        pack.add(teacher, *data(i), None, *data(100 + i), None, epochs=epochs, patience=patience)
    reports = pack.run(n_threads=n_threads, **how)
    return pack, [network for network, _ in members], reports


def without_seconds(report):
    return {key: value for key, value in report.items() if key not in ("seconds", "step_loss")}


def test_threads_do_not_change_bits(dtype, several):
    results = []
    for n_threads in several:
        pack, networks, reports = packed(dtype, 9, n_threads)
        best = [bits(pack.by_loss(i)) for i in range(9)]
        results.append(([bits(n) for n in networks], best, [without_seconds(r) for r in reports]))
    assert all(result == results[0] for result in results)


def test_a_member_is_as_if_it_were_trained_alone(dtype):
    pack, networks, reports = packed(dtype, 5, 2)
    for i, (network, report) in enumerate(zip(networks, reports, strict=True)):
        alone, teacher = member(i, dtype)
        losses, best = [], []

        def watch(epoch, losses=losses, best=best, alone=alone):
            losses.append(epoch["val_loss"])
            if epoch["val_loss"] == min(losses):
                best[:] = [bits(alone)]

        x_val, t_val = data(100 + i)
        ran = teacher.run(
            *data(i),
            x_val=x_val,
            t_val=t_val,
            epochs=report["epochs"],
            on_epoch_end=watch,
            n_threads=1,
        )
        assert bits(alone) == bits(network)
        assert bits(pack.by_loss(i)) == best[0]
        assert ran["val_score"] == report["val_score"]
        assert report["best_loss_epoch"] == 1 + int(np.argmin(losses))


def test_patience_counts_epochs_without_a_better_loss_or_score():
    _, _, reports = packed("float64", 4, 1, epochs=500, patience=4)
    for report in reports:
        assert report["stopped"] == "callback"
        losses, scores = np.array(report["val_loss"]), np.array(report["val_score"])
        better = [
            e
            for e in range(len(losses))
            if losses[e] < np.min(losses[:e], initial=np.inf)
            or scores[e] > np.max(scores[:e], initial=-np.inf)
        ]
        assert report["epochs"] == better[-1] + 1 + 4 + 1


def test_the_least_loss_is_the_trainers_own_where_it_looks_at_that():
    pack, _, reports = packed("float32", 2, 2, monitor="val_loss")
    assert pack.by_loss(0) is None
    assert [r["best_loss_epoch"] for r in reports] == [r["best_epoch"] for r in reports]


def test_a_limit_of_time_leaves_the_first_with_an_epoch():
    _, networks, reports = packed("float32", 6, 1, epochs=10_000, patience=10_000, seconds=0.0)
    assert reports[0]["epochs"] == 1
    assert reports[1:] == [None] * 5
    assert networks[0].is_finite
    begin = time.perf_counter()
    _, _, reports = packed("float32", 3, 2, epochs=10**7, patience=10**7, seconds=0.3)
    assert time.perf_counter() - begin < 5
    assert [report is None for report in reports] == [False, False, True]


def test_the_caller_hears_how_many_have_finished():
    heard = []
    packed("float32", 3, 2, epochs=3000, patience=3000, on_poll=lambda *told: heard.append(told))
    assert heard
    counts, losses = zip(*heard, strict=True)
    assert list(counts) == sorted(counts)
    assert set(counts) <= {0, 1, 2, 3}
    assert all(np.isnan(loss) == (count == 0) for count, loss in heard)
    assert all(loss > 0 for loss in losses if not np.isnan(loss))

    def fail(finished, loss):
        raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        packed("float32", 3, 2, epochs=10**7, patience=10**7, on_poll=fail)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_control_c_is_heard(count):
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        begin = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            packed("float32", count, 2, epochs=10**7, patience=10**7)
        assert time.perf_counter() - begin < 5
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def test_a_trainer_is_in_one_place_at_a_time():
    _, teacher = member(0, "float32")
    pack = _core.PackFloat32()
    for _ in range(2):
        pack.add(teacher, *data(0), None, *data(1), None, epochs=2, patience=1)
    with pytest.raises(RuntimeError, match="training already"):
        pack.run()


def test_weights_are_those_of_the_data():
    x, t = data(0)
    weight = np.where(np.arange(len(x)) < 100, 0.0, 1.0)
    results = []
    for rows, w in ((slice(None), weight), (slice(100, None), None)):
        _, teacher = member(0, "float64", monitor="val_loss")
        pack = _core.PackFloat64()
        pack.add(teacher, x[100:], t[100:], None, x[rows], t[rows], w, epochs=3, patience=9)
        (report,) = pack.run()
        results.append(report["val_loss"])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)
