"""From a communicator of the user's to the group that trains together."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp import _core
from fastmlp._processes.group import Group, within
from fastmlp._processes.transport import transport_of

_FEWEST_SHARDS = 4


@contextmanager
def joined(comm: Any, *, shards: int | None, timeout: float) -> Iterator[Group]:
    """Let what is fitted in the block be trained by the processes of a communicator together.

    Raises
    ------
    TypeError
        If `comm` is no communicator.
    ValueError
        If there are too few shards, or the processes' CPUs take different instructions.
    """
    transport = transport_of(comm, timeout)
    least = transport.size
    group = Group(transport, max(_FEWEST_SHARDS, least))
    with group.together():
        if shards is not None:
            if not isinstance(shards, int) or isinstance(shards, bool) or shards < least:
                raise ValueError(f"shards must be None or an int >= {least}; got {shards!r}.")
            group.shards = shards
    # fastmlp.set_target or FASTMLP_TARGET chooses another one, which would round in another way.
    group.require_same(shards=group.shards, target=_core.current_target())
    with within(group):
        yield group
    transport.close()
