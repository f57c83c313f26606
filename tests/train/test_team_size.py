"""The number of threads that a run's steps get, on machines whose speeds are made up."""

import numpy as np
import pytest
from builders import bits, build, random_params, trainer
from reference import Mlp

from fastmlp._core import TeamSize

BATCH = 100


def run(team, seconds, step_seconds):
    """Steps for so long where `step_seconds(threads)` is the length of one; time by threads."""
    spent = {}
    while sum(spent.values()) < seconds:
        rows, threads = min(team.rows_ahead(), 10**9 * BATCH), team.threads
        assert rows > 0
        assert rows % BATCH == 0
        took = rows / BATCH * step_seconds(threads)
        spent[threads] = spent.get(threads, 0.0) + took
        team.took(rows, took)
    return spent


def share(spent, threads):
    return spent[threads] / sum(spent.values())


@pytest.mark.parametrize(
    ("most", "best"), [(2, 1), (2, 2), (3, 1), (16, 1), (16, 2), (16, 4), (16, 16), (24, 6)]
)
@pytest.mark.parametrize("step", [5e-6, 50e-6, 500e-6])
def test_finds_the_fastest(most, best, step):
    team = TeamSize(most, BATCH, fixed=False)
    spent = run(team, 10.0, lambda n: step * (1 + 0.3 * abs(np.log2(n / best))))
    assert max(spent, key=spent.get) == best
    assert share(spent, best) > 0.9


def test_follows_a_machine_that_changes():
    team = TeamSize(2, BATCH, fixed=False)
    for fast, slow in [(2, 1), (1, 2), (2, 1)]:
        spent = run(team, 10.0, lambda n, fast=fast: 50e-6 if n == fast else 80e-6)
        assert share(spent, fast) > 0.9, (fast, slow)


def test_chance_changes_nothing(rng):
    """A trial now and then is all that a machine costs where more or fewer make no difference."""
    spent = run(TeamSize(2, BATCH, fixed=False), 10.0, lambda _: 50e-6 * rng.uniform(0.98, 1.02))
    assert share(spent, 2) > 0.99


@pytest.mark.parametrize(
    ("team", "step"),
    [(TeamSize(2, BATCH, fixed=True), 50e-6), (TeamSize(2, BATCH, fixed=False), 10e-3)],
    ids=["asked for", "long steps"],
)
def test_never_tries_fewer(team, step):
    assert set(run(team, 10.0, lambda n: step * n)) == {2}


def test_a_first_trial_is_not_early():
    """A run of a few milliseconds is left alone."""
    assert set(run(TeamSize(2, BATCH, fixed=False), 4e-3, lambda n: 50e-6 * n)) == {2}


def test_threads_that_come_and_go_do_not_change_bits(dtype):
    """Long enough for several trials: 0.1 s and more."""

    def train(n_threads):
        rng = np.random.default_rng(0)
        widths = (20, 64, 10)
        network = build(dtype, widths, Mlp(["relu", "softmax"]), random_params(rng, widths))
        x, labels = rng.normal(size=(1030, 20)), rng.integers(0, 10, 1030)
        teacher = trainer(network, loss="cross_entropy", optimizer="adam", batch_size=100)
        report = teacher.run(x, labels, epochs=500, n_threads=n_threads)
        return bits(network), report["loss"], report["epochs"], teacher.steps

    assert train(0) == train(1)
