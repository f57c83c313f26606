"""Data of the client's on the workers, which no lost worker takes along."""

import threading
from typing import Any

import dask

from fastmlp._dask.rows import RETRIES

# dask warns of arguments above a size that weights, or data in memory, may well have.
_LARGE = {"distributed.admin.large-graph-warning-threshold": "1TB"}
_configuring = threading.Lock()  # the configuration is the whole process's


def keep(client: Any, data: Any) -> Any:
    """Return a future of data, which the scheduler keeps as well while there is one."""
    with _configuring, dask.config.set(_LARGE):
        return client.submit(_as_given, data, pure=False, retries=RETRIES)


def _as_given(data: Any) -> Any:
    """Return it: the result of a task is made again where it is lost."""
    return data
