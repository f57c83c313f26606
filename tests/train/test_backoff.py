"""Fewer threads for a while where others of them were late, on a machine that is made up."""

from itertools import pairwise

import pytest

from fastmlp._core import Backoff

SPEED = 20e9  # operations a second of a team
STEP = 1e6  # operations
SLICE = 4e-3  # seconds that a thread which is not running keeps others waiting


def late(backoff, threads=2, lost=SLICE):
    backoff.did(STEP, threads, STEP / SPEED + lost, lost)


def work(backoff, flops, wanted=2):
    """Steps in time; the threads that each had."""
    threads = []
    for _ in range(int(flops / STEP)):
        threads.append(backoff.threads(wanted, STEP))
        backoff.did(STEP, threads[-1], STEP / SPEED, 0.0)
    return threads


@pytest.mark.parametrize("wanted", [1, 2, 16, 256])
def test_at_first_there_are_as_many_as_are_wanted(wanted):
    assert Backoff().threads(wanted, STEP) == wanted
    assert set(work(Backoff(), 50 * STEP, wanted)) == {wanted}


@pytest.mark.parametrize(
    ("waited", "phase", "is_late"),
    [
        (50e-6, 10e-6, False),  # the other came soon enough for a spin
        (SLICE, 60e-6, True),
        (SLICE, 1e-3, True),
        (SLICE, 100e-3, False),  # parts of a long phase are never quite equal
        (60e-3, 100e-3, True),
        (0.0, 0.0, False),
    ],
)
def test_a_wait_is_judged_beside_the_work_before_it(waited, phase, is_late):
    assert Backoff.is_late(waited, phase) is is_late


@pytest.mark.parametrize(("wanted", "then"), [(2, 1), (3, 1), (4, 2), (16, 8), (1, 1)])
def test_a_late_thread_halves_the_team_at_once(wanted, then):
    backoff = Backoff()
    late(backoff, wanted)
    assert backoff.threads(wanted, STEP) == (then if wanted > 1 else 1)


def test_teams_of_several_are_halved_until_nobody_is_late():
    backoff = Backoff()
    sizes = []
    for _ in range(6):
        sizes.append(backoff.threads(16, STEP))
        late(backoff, sizes[-1])
    assert sizes == [16, 8, 4, 2, 1, 1]


def test_the_pause_makes_the_loss_small_and_ends():
    backoff = Backoff()
    late(backoff)
    threads = work(backoff, 10 * SPEED)
    alone = threads.count(1)
    assert threads == [1] * alone + [2] * (len(threads) - alone)
    assert 0.1 * alone * STEP / SPEED > SLICE


def test_pauses_double_and_have_a_limit():
    backoff = Backoff()
    pauses = []
    for _ in range(12):
        late(backoff)
        pauses.append(backoff.pause)
        work(backoff, backoff.pause + STEP)
        assert backoff.threads(2, STEP) == 2
    assert all(b == pytest.approx(min(2 * a, SPEED)) for a, b in pairwise(pauses))
    assert pauses[-1] == pytest.approx(SPEED)  # a second of work


def test_a_loss_is_forgiven_after_work_in_time():
    backoff = Backoff()
    for _ in range(4):
        late(backoff)
        work(backoff, backoff.pause + STEP)
    last = backoff.pause
    work(backoff, 20 * SPEED)
    assert last == 0
    late(backoff)
    assert backoff.pause == pytest.approx(16 * SLICE * SPEED)


def test_only_work_counts_and_no_seconds():
    """A thread that the system lets wait must not find its pause over by that."""
    slow, fast = Backoff(), Backoff()
    for backoff, seconds in ((slow, 1.0), (fast, 1e-6)):
        late(backoff)
        backoff.did(STEP, 1, seconds, 0.0)
    assert slow.pause == fast.pause > 0


def test_a_long_wait_counts_for_more():
    short, long = Backoff(), Backoff()
    late(short, lost=1e-3)
    late(long, lost=100e-3)
    assert long.pause == pytest.approx(100 * short.pause)
