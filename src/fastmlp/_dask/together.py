"""Synchronous training: every step is one of all workers, who meet by torch.distributed.

Each worker gets its part of the rows and one task, in which it fits the local estimator as a
process of a communicator does; the first one's is the result. A worker that is lost ends the
others' tasks, and all begin anew with those that are left.
"""

import os
import platform
import time
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlparse

from dask import delayed
from distributed import Lock, wait

from fastmlp._checks.warn import warn
from fastmlp._dask.rows import cut, task_threads
from fastmlp._data.validation import GivenSet
from fastmlp._processes.communicator import joined
from fastmlp._processes.group import refuse_group

_TIMEOUT = 300.0  # seconds that a worker waits for the others in training
_STORE_TIMEOUT = timedelta(seconds=30)  # for an answer of the place where they meet
_TRIES = 3
_LOOK_EVERY = 0.2  # seconds
_GRACE = 10.0  # seconds from one worker's error, or loss, to what is then to come

# In a worker: where it meets others, or what carries its numbers, by the name of a fit in progress.
_meetings: dict[str, Any] = {}
_begun: set[str] = set()  # the names of fits that have the thread of a task


class _LostError(Exception):
    """A worker is gone."""


def fit_together(
    estimator: Any, given: GivenSet, validation: GivenSet | None, start: tuple[Any, Any]
) -> Any:
    """Return the local estimator that all workers have fitted.

    Parameters
    ----------
    estimator : DaskEstimator
        Whose parameters count.
    given : tuple of X, y and sample_weight
        Collections of dask's.
    validation : tuple of X_val, y_val and sample_weight_val, or None
        The validation set.
    start : tuple of coef_init and intercept_init
        The weights given to start from.

    Raises
    ------
    ImportError
        If torch is missing on a worker.
    RuntimeError
        If workers share a process, or some were lost again and again.
    ValueError
        If a parameter is not for several processes, or what the fit raises.
    """
    refuse_group(type(estimator).__name__)
    client = estimator.client_
    for name, plain in (("callbacks", None), ("warm_start", False)):
        if getattr(estimator, name) != plain:
            raise ValueError(f"{name} is not for synchronous=True: the fit is that of workers.")
    local = estimator._unfitted()
    local.n_jobs = task_threads(local.n_jobs)
    for _ in range(_TRIES):
        with _alone(client):
            with suppress(TimeoutError):  # the last one may be about to be started again
                client.wait_for_workers(1, timeout=_GRACE)
            workers = sorted(client.nthreads())[: int(estimator.shards)]
            try:
                _check_workers(client, workers)
                return _try(client, workers, local, given, validation, start, int(estimator.shards))
            except _LostError:
                warn("A worker was lost: the training begins anew with the others.")
    raise RuntimeError(f"Workers were lost in each of {_TRIES} tries of a fit.")


@contextmanager
def _alone(client: Any) -> Iterator[None]:
    """Wait for other fits of this kind: each could have a worker that the other waits for."""
    with client.as_current():
        lock = Lock("fastmlp-together")
    while not lock.acquire(timeout=1):
        pass
    try:
        yield
    finally:
        lock.release()


def _check_workers(client: Any, workers: Sequence[str]) -> None:
    if not workers:
        raise RuntimeError("The cluster has no workers.")
    pids = _run_on(client, workers, _identify)
    if len(set(pids.values())) < len(workers):
        raise RuntimeError("synchronous=True needs workers in processes of their own.")


def _run_on(client: Any, workers: Sequence[str], function: Any, *arguments: Any) -> Any:
    try:
        return client.run(function, *arguments, workers=workers)
    except OSError as error:  # there is nobody to talk to
        raise _LostError from error


def _identify() -> tuple[str, int]:
    """Return what tells a process from others, of one that has torch."""
    if find_spec("torch") is None:
        raise ImportError("synchronous=True needs torch on every worker: pip install torch.")
    return platform.node(), os.getpid()


def _try(
    client: Any,
    workers: Sequence[str],
    local: Any,
    given: GivenSet,
    validation: GivenSet | None,
    start: tuple[Any, Any],
    shards: int,
) -> Any:
    """Fit once; raise `_LostError` where a worker is gone."""
    name = uuid.uuid4().hex
    names = ("X_val", "y_val", "sample_weight_val")
    host = urlparse(workers[0]).hostname
    parts: list[Any] = []
    held: list[Any] = [None] * len(workers)
    fits: list[Any] = []
    try:
        parts = _parts(client, dict(zip(("X", "y", "sample_weight"), given, strict=True)), workers)
        if validation is not None:
            held = _parts(client, dict(zip(names, validation, strict=True)), workers)
        place = _run_on(client, workers[:1], _open, name, host)[workers[0]]
        _run_on(client, workers[1:], _announce, name)
        fits += [
            client.submit(
                _fit_part,
                name,
                place,
                (rank, len(workers)),
                local,
                part,
                its,
                start,
                shards,
                workers=[worker],
                allow_other_workers=False,
                pure=False,
                retries=0,
            )
            for rank, (worker, part, its) in enumerate(zip(workers, parts, held, strict=True))
        ]
        fitted, told = _result(client, name, workers, fits)
    except BaseException:
        _on_alive(client, workers, _close, name)  # those that wait for others need not
        raise
    finally:
        _let_end(client, workers, name)
        # The rows, too: what is left of a try keeps its place, on a worker that may be gone.
        client.cancel([each for each in (*fits, *parts, *held) if each is not None])
        _on_alive(client, workers, _close, name)
    for category, message in told:
        warn(message, category)
    return fitted


def _parts(client: Any, named: dict[str, Any], workers: Sequence[str]) -> list[Any]:
    """Return the rows of each worker, on their way to it; of fewer rows some have none."""
    cuts = cut(client, named, len(workers))
    cuts += [[None if part is None else part[:0] for part in cuts[0]]] * (len(workers) - len(cuts))
    return [
        client.compute(delayed(tuple)(rows), workers=[worker], allow_other_workers=True)
        for rows, worker in zip(cuts, workers, strict=True)
    ]


def _result(client: Any, name: str, workers: Sequence[str], fits: Sequence[Any]) -> Any:
    """Wait for the first worker's result, or for whatever ends the others."""
    asked_to_stop, failures = False, 0
    while True:
        try:
            if asked_to_stop:  # again, for those who had not met yet
                client.run(_interrupt, name, workers=workers, on_error="ignore")
            with suppress(TimeoutError):
                wait(fits, timeout=_LOOK_EVERY)
            if fits[0].status == "finished":
                return fits[0].result()
            if any(worker not in client.nthreads() for worker in workers):
                raise _LostError
            failed = [future for future in fits if future.status == "error"]
            failures += bool(failed)
            # The others' errors are on their way, or the news of a lost worker.
            if failures * _LOOK_EVERY > _GRACE or len(failed) == len(fits):
                errors = [future.exception() for future in failed]
                raise min(errors, key=lambda error: str(error).startswith("In process "))
        except KeyboardInterrupt:
            if asked_to_stop:
                raise
            asked_to_stop = True


def _on_alive(client: Any, workers: Sequence[str], function: Any, *arguments: Any) -> Any:
    alive = [worker for worker in workers if worker in client.nthreads()]
    return client.run(function, *arguments, workers=alive, on_error="ignore")


def _let_end(client: Any, workers: Sequence[str], name: str) -> None:
    """Let those that are alive leave their group, before they may be asked to form another one."""
    end = time.monotonic() + _GRACE
    while any(_on_alive(client, workers, _has_begun, name).values()) and time.monotonic() < end:
        time.sleep(_LOOK_EVERY / 4)


# On the workers


def _open(name: str, host: str) -> tuple[str, int]:
    """Open the place where the workers meet."""
    import torch.distributed as torch

    store = torch.TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=_STORE_TIMEOUT)
    _meetings[name] = store
    return host, int(store.port)


def _announce(name: str) -> None:
    """Say that there will be a fit, whose store is another worker's."""
    _meetings[name] = None


def _has_begun(name: str) -> bool:
    return name in _begun


def _close(name: str) -> None:
    _meetings.pop(name, None)


def _interrupt(name: str) -> None:
    """Note Ctrl-C in whatever trains; the core tells the others."""
    meeting: Any = _meetings.get(name)
    if hasattr(meeting, "interrupted"):
        meeting.interrupted = True


@contextmanager
def _met(name: str, place: tuple[str, int], rank: int, size: int, shards: int) -> Iterator[None]:
    """Let the block be trained by all workers together."""
    import torch.distributed as torch

    store = _meetings[name]
    _begun.add(name)
    try:
        if store is None:
            store = torch.TCPStore(*place, is_master=False, timeout=_STORE_TIMEOUT)
        _wait_for_all(name, store, rank, size)
        timeout = timedelta(seconds=_TIMEOUT)
        torch.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=timeout)
        try:
            with joined(torch.group.WORLD, shards=shards, timeout=_TIMEOUT) as group:
                _meetings[name] = group.transport
                yield
        finally:
            torch.destroy_process_group()
            if name in _meetings:
                _meetings[name] = store  # which the others may still ask
    finally:
        _begun.discard(name)


def _wait_for_all(name: str, store: Any, rank: int, size: int) -> None:
    """Wait for the others, whose rows may come later, as long as the fit goes on.

    torch itself would wait for one that is lost, too, and keep the thread of this worker.
    """
    store.set(f"there {rank}", "")
    everybody = [f"there {each}" for each in range(size)]
    while not store.check(everybody):
        if name not in _meetings:
            raise RuntimeError("the fit is over")
        time.sleep(_LOOK_EVERY / 10)


def _fit_part(
    name: str,
    place: tuple[str, int],
    role: tuple[int, int],
    estimator: Any,
    part: tuple[Any, Any, Any],
    held: tuple[Any, Any, Any] | None,
    start: tuple[Any, Any],
    shards: int,
) -> Any:
    """Fit the estimator with the others; return it, and its warnings, where this is the first."""
    X, y, weight = part
    named = dict(zip(("X_val", "y_val", "sample_weight_val"), held or (None,) * 3, strict=True))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with _met(name, place, *role, shards):
            estimator.fit(X, y, weight, coef_init=start[0], intercept_init=start[1], **named)
    if role[0] > 0:
        return None
    return estimator, [(each.category, str(each.message)) for each in told]
