"""Training by several processes, on one machine or many: the network that one would have given."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp._processes.communicator import joined

__all__ = ["communicator"]


@contextmanager
def communicator(comm: Any, *, shards: int | None = None, timeout: float = 300.0) -> Iterator[None]:
    """Let the processes of a communicator train together what is fitted in the block.

    Every process calls `fit` or `partial_fit` of an `MLPClassifier` or `MLPRegressor` with the same
    parameters and with its own part of the samples, and has the same model afterwards, that of all
    samples: those of the first process, followed by those of the second one, and so on. The samples
    are taken in `shards` of equal size, each of which one process holds, and sums over shards are
    taken in the order of one tree: the bits of the model depend on the number of shards, and not on
    that of the processes, nor on who gave which samples.

    The first process alone calls callbacks, shows progress, and draws a `random_state` of None.
    `X_val` and `y_val` are parts, too; the whole validation set, or what `early_stopping` sets
    aside, is then scored by all. Predictions are made by each process by itself.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm or torch.distributed.ProcessGroup
        Such as ``MPI.COMM_WORLD`` or ``torch.distributed.group.WORLD`` (with the backend 'gloo').
    shards : int, default=None
        At least as many as processes; None is 4, or where there are more processes as many.
    timeout : float, default=300.0
        After how many seconds without an answer of another process to give up.

    Raises
    ------
    TypeError
        If `comm` is no communicator.
    ValueError
        If `shards` or `timeout` is not valid, or the processes' CPUs take different instructions.

    Examples
    --------
    To be started by ``mpiexec -n 2 python -m mpi4py train.py``:

    >>> from mpi4py import MPI  # doctest: +SKIP
    >>> import fastmlp.distributed  # doctest: +SKIP
    >>> with fastmlp.distributed.communicator(MPI.COMM_WORLD):  # doctest: +SKIP
    ...     model = fastmlp.MLPClassifier(random_state=0).fit(X_local, y_local)
    """
    if not isinstance(timeout, int | float) or isinstance(timeout, bool) or not timeout > 0:
        raise ValueError(f"timeout must be a number of seconds above 0; got {timeout!r}.")
    with joined(comm, shards=shards, timeout=float(timeout)):
        yield
