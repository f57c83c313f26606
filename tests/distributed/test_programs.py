"""Programs started by MPI and by torch.distributed: the same bits, signals, processes that die."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from loops import each
from processes import mpiexec, start_torch

SHARED = """
import hashlib, os, signal, sys, threading, warnings
import numpy as np
from sklearn.datasets import load_digits

warnings.simplefilter("ignore")
X, y = load_digits(return_X_y=True)
X /= 16

def bits(model):
    arrays = model.coefs_ + model.intercepts_
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()
"""
MPI = """
from mpi4py import MPI
comm = MPI.COMM_WORLD
rank, size = comm.rank, comm.size
"""
TORCH = """
import torch.distributed as dist
dist.init_process_group("gloo")
comm, rank, size = dist.group.WORLD, dist.get_rank(), dist.get_world_size()
"""
FIT = """
from fastmlp import MLPClassifier
from fastmlp.distributed import communicator
own = slice(len(X) * rank // size, len(X) * (rank + 1) // size)
with communicator(comm):
    model = MLPClassifier((32,), max_iter=5, early_stopping=True, random_state=0, n_jobs=1)
    model.fit(X[own], y[own])
open(f"{sys.argv[1] if sys.argv[1:] else '.'}/{size}-{rank}", "w").write(bits(model))
"""
ENDLESS = """
import time
open(f"process-{rank}", "w").write(str(os.getpid()))
from fastmlp import MLPClassifier
from fastmlp.distributed import communicator
own = slice(len(X) * rank // size, len(X) * (rank + 1) // size)
model = MLPClassifier((32,), max_iter=10**6, n_iter_no_change=10**6, random_state=0, n_jobs=1)
# HOW
begun = time.monotonic()
def note(text):
    open(f"told-{rank}", "w").write(text)
if rank == size - 1:
    threading.Timer(1.0, lambda: os.kill(os.getpid(), SIGNAL)).start()
try:
    with communicator(comm, timeout=3):
        model.fit(X[own], y[own])
    note(f"{model.stopped_} {model.n_iter_} {bits(model)}")
except BaseException as error:
    note(f"{type(error).__name__} {time.monotonic() - begun:.1f}")
    os._exit(3)
"""
SILENT = """
import time
from fastmlp import MLPClassifier
from fastmlp.distributed import communicator
with communicator(comm, timeout=2):
    if rank == 1:
        time.sleep(60)
    begun = time.monotonic()
    try:
        MLPClassifier().fit(X, y)
    except BaseException as error:
        told = f"{type(error).__name__} {time.monotonic() - begun:.1f}"
        open(f"told-{rank}", "w").write(told)
        comm.Abort(3)
"""


@pytest.fixture
def launcher(tmp_path, monkeypatch):
    pytest.importorskip("mpi4py")
    if not Path(sys.executable).with_name("mpiexec").exists():
        pytest.skip("no mpiexec beside this Python")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, *parts):
    script = folder / "train.py"
    script.write_text("".join(parts))
    return script


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_mpi_has_the_same_bits_for_each_number_of_processes(launcher):
    script = write(launcher, SHARED, MPI, FIT)
    for size in (1, 2, 3):
        done = mpiexec(size, script)
        assert done.returncode == 0, done.stderr
    found = {path.read_text() for path in launcher.glob("[123]-[012]")}
    assert len(list(launcher.glob("[123]-[012]"))) == 6
    assert len(found) == 1


def test_torch_has_the_bits_of_mpi(launcher):
    pytest.importorskip("torch")
    script = write(launcher, SHARED, TORCH, FIT)
    for process in start_torch(2, script, free_port()):
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert mpiexec(1, write(launcher, SHARED, MPI, FIT)).returncode == 0
    assert len({path.read_text() for path in launcher.glob("[12]-[01]")}) == 1


@each(
    "how",
    [
        "",
        "hidden_layer_sizes=(1500, 1500)",  # the signal comes while the core is at work
        "early_stopping=True, scoring='f1_macro'",
        "solver='lbfgs', tol=0, hidden_layer_sizes=(500, 500)",
    ],
)
def test_ctrl_c_in_one_process_ends_all_at_the_same_step(launcher, how):
    endless = ENDLESS.replace("SIGNAL", "signal.SIGINT").replace(
        "# HOW", f"model.set_params({how})"
    )
    script = write(launcher, SHARED, MPI, endless)
    done = mpiexec(2, script)
    assert done.returncode == 0, done.stderr
    told = [path.read_text() for path in launcher.glob("told-*")]
    assert len(told) == 2
    assert told[0] == told[1]
    assert told[0].startswith("interrupted")


def test_a_process_that_is_killed_ends_those_of_mpi(launcher):
    """Which is mpiexec's doing, before we notice."""
    script = write(launcher, SHARED, MPI, ENDLESS.replace("SIGNAL", "signal.SIGKILL"))
    assert mpiexec(2, script, timeout=30).returncode != 0
    for rank in range(2):
        with pytest.raises(ProcessLookupError):
            os.kill(int((launcher / f"process-{rank}").read_text()), 0)


def test_a_process_that_does_not_answer_is_given_up(launcher):
    assert mpiexec(2, write(launcher, SHARED, MPI, SILENT), timeout=60).returncode != 0
    name, seconds = (launcher / "told-0").read_text().split()
    assert name == "TimeoutError"
    assert 2 <= float(seconds) < 10


def test_torch_notices_it_too(launcher):
    pytest.importorskip("torch")
    script = write(launcher, SHARED, TORCH, ENDLESS.replace("SIGNAL", "signal.SIGKILL"))
    first, second = start_torch(2, script, free_port())
    for process in (second, first):
        process.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (3, -signal.SIGKILL)
    assert float((launcher / "told-0").read_text().split()[1]) < 10


def test_the_package_imports_no_engine():
    code = (
        "import sys, fastmlp, fastmlp.distributed\n"
        "assert not {'mpi4py', 'torch', 'dask', 'distributed'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
