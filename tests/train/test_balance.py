"""How threads divide the phases of a step, on cores whose speeds are made up."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmlp._core import Balance, Rest

TOLERATED = 0.04  # a difference of speeds that moves no cut


def widths(balance, threads):
    parts = [balance.part(rank) for rank in range(threads)]
    assert parts[0][0] == 0.0
    assert parts[-1][1] == 1.0
    assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(parts))
    return np.diff([begin for begin, _ in parts] + [1.0])


def step(balance, speeds, pieces=None):
    """Let each thread do its part, of so many pieces; how long the slowest took."""
    took = []
    for rank, speed in enumerate(speeds):
        begin, end = balance.part(rank)
        if pieces is not None:
            begin, end = (cut / pieces for cut in balance.share(pieces, 1, rank))
        took.append((end - begin) / speed)
        balance.took(rank, end - begin, took[-1])
    balance.adjust()
    return max(took)


def run(balance, steps, speeds, pieces=None):
    return [step(balance, speeds, pieces) for _ in range(steps)]


@pytest.mark.parametrize(
    "speeds", [(1.0, 1.0), (1.0, 0.5), (0.8, 1.0), (1.0, 0.4, 0.4), [1.0] * 8 + [0.6] * 8]
)
@pytest.mark.parametrize("pieces", [None, 1000])
def test_all_threads_come_to_need_the_same_time(speeds, pieces):
    balance = Balance(len(speeds), fixed=False)
    best = 1.0 / sum(speeds)
    narrowest = min(speeds) * best
    a_piece = 0.0 if pieces is None else 1.0 / pieces / narrowest
    assert run(balance, 50, speeds, pieces)[-1] < best * (1 + a_piece) / (1 - TOLERATED)
    expected = np.array(speeds) * best
    rtol = TOLERATED / (1 - TOLERATED)
    np.testing.assert_allclose(widths(balance, len(speeds)), expected, rtol=rtol)


def test_follows_cores_that_change():
    balance = Balance(2, fixed=False)
    for speeds in [(1.0, 0.7), (0.7, 1.0), (1.0, 1.0)]:
        assert run(balance, 10, speeds)[-1] < 1 / sum(speeds) / (1 - TOLERATED)


def test_parts_that_suit_are_left_alone():
    balance = Balance(4, fixed=False)
    rng = np.random.default_rng(0)
    for _ in range(100):
        step(balance, 1.0 + rng.uniform(-0.01, 0.01, 4))
    np.testing.assert_array_equal(widths(balance, 4), 0.25)


def test_one_interruption_changes_little():
    balance = Balance(2, fixed=False)
    run(balance, 5, (1.0, 1.0))
    step(balance, (1.0, 0.01))
    assert widths(balance, 2)[1] > 0.44
    assert run(balance, 5, (1.0, 1.0))[-1] < 0.52


def test_the_first_step_is_not_counted():
    balance = Balance(2, fixed=False)
    step(balance, (1.0, 0.5))
    np.testing.assert_array_equal(widths(balance, 2), 0.5)
    step(balance, (1.0, 0.5))
    assert widths(balance, 2)[1] < 0.49


@pytest.mark.parametrize("threads", [2, 3, 4, 8])
@pytest.mark.parametrize("each", [1, 2, 4])
def test_noise_does_not_move_whole_pieces(threads, each):
    balance = Balance(threads, fixed=False)
    rng = np.random.default_rng(threads)
    for _ in range(200):
        step(balance, 1.0 + rng.uniform(-0.04, 0.04, threads), pieces=each * threads)
        cuts = [balance.share(each * threads, 1, rank) for rank in range(threads)]
        assert [end - begin for begin, end in cuts] == [each] * threads


def test_a_thread_without_pieces_gets_some_again():
    balance = Balance(2, fixed=False)
    took = run(balance, 200, (1.0, 0.2), pieces=2)
    assert min(took) == 1.0  # all by the faster one
    assert run(balance, 20, (1.0, 1.0), pieces=2)[-1] == 0.5


@pytest.mark.parametrize("grain", [1, 8])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 64, 1000, 1_000_003])
@pytest.mark.parametrize("speeds", [(1.0, 1.0, 1.0), (1.0, 0.3), (0.9, 1.0, 0.4, 1.0, 0.7)])
def test_every_row_is_somebodys(n, grain, speeds):
    balance = Balance(len(speeds), fixed=False)
    run(balance, 20, speeds)
    shares = [balance.share(n, grain, rank) for rank in range(len(speeds))]
    assert shares[0][0] == 0
    assert shares[-1][1] == n
    for (begin, end), (after, _) in itertools.pairwise(shares):
        assert begin <= end == after
        assert end % grain == 0 or end == n


def test_a_thread_that_seems_to_stand_still_keeps_a_part():
    balance = Balance(2, fixed=False)
    run(balance, 100, (1.0, 1e-6))
    assert widths(balance, 2)[1] > 0.1
    assert run(balance, 30, (1.0, 1.0))[-1] < 0.52


def test_more_threads_than_pieces_changes_nothing():
    balance = Balance(4, fixed=False)
    run(balance, 10, (1.0, 1.0, 0.5, 0.5), pieces=3)
    np.testing.assert_array_equal(widths(balance, 4), 0.25)


def test_fixed_parts_stay():
    balance = Balance(2, fixed=True)
    run(balance, 10, (1.0, 0.5))
    np.testing.assert_array_equal(widths(balance, 2), 0.5)


@pytest.mark.parametrize("threads", [0, -1])
def test_bad_arguments(threads):
    with pytest.raises(ValueError, match=f"threads must be positive, got {threads}"):
        Balance(threads, fixed=False)


def test_no_such_thread():
    balance = Balance(2, fixed=False)
    for rank in (-1, 2):
        with pytest.raises(IndexError, match=f"rank must be from 0 to 1, got {rank}"):
            balance.part(rank)
        with pytest.raises(IndexError, match=f"rank must be from 0 to 1, got {rank}"):
            balance.share(10, 1, rank)
        with pytest.raises(IndexError, match=f"rank must be from 0 to 1, got {rank}"):
            balance.took(rank, 1.0, 1.0)


@given(
    own=st.tuples(st.integers(0, 200), st.integers(0, 300)),
    whole=st.integers(1, 9),
    takes=st.lists(st.booleans(), max_size=40),
)
def test_what_is_left_of_a_part_is_taken_once_from_either_end(own, whole, takes):
    begin, size = own
    end = begin + size
    rest = Rest()
    rest.offer(begin, end)
    for front in itertools.chain(takes, itertools.repeat(True)):
        taken = rest.take_front(whole) if front else rest.take_back(whole)
        if begin == end:
            assert taken[0] == taken[1]
            break
        assert taken[0] < taken[1]
        if front:
            assert taken[0] == begin
            begin = cut = taken[1]
        else:
            assert taken[1] == end
            end = cut = taken[0]
        # Whole ones are cut only where one thread takes the last of them.
        assert cut % whole == 0 or end - begin < 2 * whole


def test_the_owner_takes_half_at_a_time():
    rest = Rest()
    rest.offer(3, 24)
    taken = [rest.take_front(4) for _ in range(5)]
    assert taken == [(3, 16), (16, 20), (20, 22), (22, 23), (23, 24)]
    assert rest.take_front(4) == rest.take_back(4) == (0, 0)
