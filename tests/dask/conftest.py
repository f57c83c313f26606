"""Clusters: two processes, and a worker in this one."""

import os
import time

import pytest

pytest.importorskip("distributed")
import psutil
from clusters import in_threads
from distributed import Client, LocalCluster


@pytest.fixture(scope="module")
def cluster():
    """Two processes; when they are done, none of them is left."""
    how = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(processes=True, **how) as cluster, Client(cluster) as client:
        yield client
        pids = list(client.run(os.getpid).values())
    end = time.monotonic() + 10
    while any(map(psutil.pid_exists, pids)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(psutil.pid_exists, pids))


@pytest.fixture(scope="module")
def client():
    """A worker in this process, which starts at once."""
    with in_threads(1) as cluster, Client(cluster, set_as_default=False) as client:
        yield client
