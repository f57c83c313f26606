"""The number of threads that a run's steps get, on machines whose speeds are made up."""

import numpy as np
import pytest
from builders import bits, build, random_params, trainer
from reference import Mlp

from fastmlp import _core
from fastmlp._core import TeamSize

BATCH = 100


def run(team, seconds, step_seconds):
    """Train for so long where `step_seconds(threads)` is the length of a step; time by threads.

    Epochs have 40 steps and one of a tenth of the rows and half the time.
    """
    spent, left = {}, 0
    while sum(spent.values()) < seconds:
        left = left or 40 * BATCH + BATCH // 10
        rows, threads = team.rows_ahead(left), team.threads
        assert 0 < rows <= left
        assert rows % BATCH == 0 or rows == left
        took = sum(step_seconds(threads) for _ in range(rows // BATCH))
        took += 0.5 * step_seconds(threads) if rows % BATCH else 0.0
        spent[threads] = spent.get(threads, 0.0) + took
        team.took(rows, took)
        left -= rows
    return spent


def share(spent, threads):
    return spent.get(threads, 0.0) / sum(spent.values())


@pytest.mark.parametrize(
    ("most", "best"), [(2, 1), (2, 2), (3, 1), (16, 1), (16, 2), (16, 4), (16, 16), (24, 6)]
)
@pytest.mark.parametrize("step", [50e-6, 500e-6])
def test_finds_the_fastest(most, best, step):
    team = TeamSize(most, BATCH, fixed=False)
    spent = run(team, 10.0, lambda n: step * (1 + 0.3 * abs(np.log2(n / best))))
    assert share(spent, best) > 0.9


def test_follows_a_machine_that_changes():
    team = TeamSize(2, BATCH, fixed=False)
    for fast, slow in [(2, 1), (1, 2), (2, 1)]:
        spent = run(team, 10.0, lambda n, fast=fast: 50e-6 if n == fast else 80e-6)
        assert share(spent, fast) > 0.9, (fast, slow)


def test_comes_back_where_steps_have_become_long():
    team = TeamSize(2, BATCH, fixed=False)
    run(team, 5.0, {1: 1.7e-3, 2: 1.9e-3}.get)
    assert team.threads == 1
    assert share(run(team, 20.0, {1: 9e-3, 2: 5e-3}.get), 2) > 0.9


def test_stalls_of_the_machine_change_little(rng):
    """One step in a thousand loses a time slice, and all vary by chance."""
    spent = run(
        TeamSize(2, BATCH, fixed=False),
        10.0,
        lambda n: rng.uniform(60e-6, 66e-6) / (1 + 0.2 * n) + 4e-3 * (rng.random() < 0.001),
    )
    assert share(spent, 2) > 0.8


def test_threads_that_disturb_each_other_are_tried_for_a_moment():
    spent = run(TeamSize(2, BATCH, fixed=False), 10.0, {1: 50e-6, 2: 1.9e-3}.get)
    assert share(spent, 1) > 0.9


@pytest.mark.parametrize(("fixed", "step"), [(True, 50e-6), (False, 10e-3)])
def test_never_tries_fewer(fixed, step):
    """Neither where a number was asked for nor where steps are long."""
    assert set(run(TeamSize(2, BATCH, fixed), 10.0, lambda n: step * n)) == {2}


def test_a_short_run_is_left_alone():
    assert set(run(TeamSize(2, BATCH, fixed=False), 10e-3, lambda n: 50e-6 * n)) == {2}


@pytest.mark.parametrize("seconds", [9e-3, 10e-3, 15e-3, 40e-3])
@pytest.mark.parametrize("fast", [1, 2])
def test_short_runs_of_the_same_work_learn_from_each_other(seconds, fast):
    """As long as threads take to wake, those of a team of two have half of its speed."""
    team = TeamSize(2, BATCH, fixed=False)
    awake = 0.0

    def step_seconds(threads):
        nonlocal awake
        step = 50e-6 if threads == fast else 80e-6
        if threads == 2 and awake < 6e-3:
            step *= 2
        awake += step if threads == 2 else 0.0
        return step

    for _ in range(100):
        awake = 0.0
        team.resume(awake=False)
        run(team, seconds, step_seconds)
    shares = []
    for _ in range(100):
        awake = 0.0
        team.resume(awake=False)
        shares.append(share(run(team, seconds, step_seconds), fast))
    assert np.median(shares) > 0.9


def test_short_runs_follow_a_machine_that_changes():
    team = TeamSize(2, BATCH, fixed=False)
    for fast in (1, 2, 1):
        for _ in range(100):
            team.resume(awake=False)
            spent = run(team, 20e-3, lambda n, fast=fast: 50e-6 if n == fast else 80e-6)
        assert share(spent, fast) > 0.5, fast


@pytest.mark.parametrize("seconds", [1e-3, 4e-3])
def test_runs_too_short_to_wake_threads_keep_to_what_works(seconds):
    team = TeamSize(2, BATCH, fixed=False)
    run(team, 1.0, {1: 50e-6, 2: 80e-6}.get)
    assert team.threads == 1
    spent = {}
    for _ in range(400):
        team.resume(awake=False)
        for threads, time in run(team, seconds, {1: 50e-6, 2: 80e-6}.get).items():
            spent[threads] = spent.get(threads, 0.0) + time
    assert share(spent, 1) > 0.8


@pytest.mark.parametrize("seconds", [0.3e-3, 2e-3, 8e-3])
@pytest.mark.parametrize("fast", [1, 2])
def test_short_runs_that_follow_closely_are_as_one(seconds, fast):
    team = TeamSize(2, BATCH, fixed=False)
    spent = {}
    for _ in range(int(10 / seconds)):
        team.resume(awake=True)
        step_seconds = {fast: 50e-6, 3 - fast: 80e-6}.get
        for threads, time in run(team, seconds, step_seconds).items():
            spent[threads] = spent.get(threads, 0.0) + time
    assert share(spent, fast) > 0.9


@pytest.mark.parametrize(("most", "batch"), [(0, 1), (-1, 1), (1, 0)])
def test_sizes_are_positive(most, batch):
    with pytest.raises(ValueError, match="must be positive"):
        TeamSize(most, batch, fixed=True)


@pytest.mark.parametrize(
    ("widths", "rows", "batch", "clip_norm", "epochs"),
    [
        ((20, 64, 10), 1030, 100, 0.0, 600),
        ((20, 64, 10), 1030, 100, 0.1, 600),
        ((8, 16, 10), 4500, 4200, 0.0, 200),
        ((48, 512, 512, 3), 10, 4, 0.0, 100),
    ],
    ids=["rows", "rows, clipped", "chunks", "columns"],
)
def test_threads_that_come_and_go_do_not_change_bits(dtype, widths, rows, batch, clip_norm, epochs):
    rng = np.random.default_rng(0)
    mlp = Mlp([*["relu"] * (len(widths) - 2), "softmax"])
    params = random_params(rng, widths)
    x, labels = rng.normal(size=(rows, widths[0])), rng.integers(0, widths[-1], rows)

    def train(n_threads):
        network = build(dtype, widths, mlp, params)
        settings = {"loss": "cross_entropy", "optimizer": "adam", "rate": 1e-3}
        teacher = trainer(network, batch_size=batch, clip_norm=clip_norm, **settings)
        report = teacher.run(x, labels, epochs=epochs, n_threads=n_threads)
        return teacher.fewest_threads, (bits(network), report["loss"], teacher.steps)

    (fewest, free), (_, resumed), (one, alone) = train(0), train(0), train(1)
    assert free == resumed == alone
    assert one == 1
    if epochs == 600:  # steps that are short even under sanitizers, so that fewer were tried
        assert fewest < max(2, _core.max_threads())
