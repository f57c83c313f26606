"""Blocks that take long, and blocks of which there are many: Ctrl-C, and the memory of a fit."""

import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from fastmlp import MLPRegressor, Perceptron, TabularRegressor, fit_pack
from fastmlp.data import Blocks

SOON = 2.0  # seconds; 0.5 is meant, on a machine that has nothing else to do
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Slow(Blocks):
    """Blocks that take a while, from some read on longer than anybody waits."""

    def __init__(self, *, delay, hangs_at, memory=20_000):
        super().__init__(memory=memory)
        self.delay, self.hangs_at, self.reads = delay, hangs_at, 0
        self.released = threading.Event()
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(20, 50, 3))

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        self.reads += 1
        if self.reads >= self.hangs_at:
            self.released.wait(60)
        time.sleep(self.delay)
        return self.x[index], self.x[index].sum(axis=1)

    def targets(self, index):
        return (self.x[index].sum(axis=1),)


class Coins(Slow):
    """The same with labels that nothing tells apart."""

    def __getitem__(self, index):
        return super().__getitem__(index)[0], *self.targets(index)

    def targets(self, index):
        return (np.random.default_rng(index).integers(0, 2, 50),)


def press_soon(blocks):
    """Press Ctrl-C, as the system does it, once somebody waits for a block."""

    def press():
        while blocks.reads < blocks.hangs_at:
            time.sleep(0.01)
        time.sleep(0.2)
        pressed.append(time.perf_counter())
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    pressed = []
    thread = threading.Thread(target=press)
    thread.start()
    return thread, pressed


def test_ctrl_c_while_a_block_is_read():
    """The fit ends at once, with the epochs that were finished."""
    blocks = Slow(delay=0.0, hangs_at=1 + 20 * 3 + 5)
    thread, pressed = press_soon(blocks)
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=50, random_state=0)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(blocks)
    assert time.perf_counter() - pressed[0] < SOON
    blocks.released.set()
    thread.join()
    assert model.stopped_ == "interrupted"
    assert 1 <= model.n_iter_ <= 3


def test_ctrl_c_with_lbfgs():
    blocks = Slow(delay=0.0, hangs_at=1 + 20 * 3 + 5)
    thread, pressed = press_soon(blocks)
    model = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=500, random_state=0)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(blocks)
    assert time.perf_counter() - pressed[0] < SOON
    blocks.released.set()
    thread.join()


def test_ctrl_c_in_a_pack():
    blocks = Slow(delay=0.0, hangs_at=1 + 20 * 3 + 5)
    thread, pressed = press_soon(blocks)
    pack = [MLPRegressor(hidden_layer_sizes=(4,), max_iter=500, random_state=i) for i in range(2)]
    with pytest.raises(KeyboardInterrupt):
        fit_pack(pack, blocks, None, n_jobs=2)
    assert time.perf_counter() - pressed[0] < SOON
    blocks.released.set()
    thread.join()


def test_ctrl_c_before_training():
    """Nothing was trained, so that the estimator is what it was."""
    blocks = Slow(delay=0.0, hangs_at=1)
    thread, pressed = press_soon(blocks)
    model = TabularRegressor(preset="fast", random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(blocks)
    assert time.perf_counter() - pressed[0] < SOON
    blocks.released.set()
    thread.join()
    assert not hasattr(model, "members_")


def test_ctrl_c_with_a_perceptron():
    """It is what it was before, as with arrays."""
    blocks = Coins(delay=0.0, hangs_at=1 + 20 * 3 + 5)
    thread, pressed = press_soon(blocks)
    model = Perceptron(random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(blocks)
    assert time.perf_counter() - pressed[0] < SOON
    blocks.released.set()
    thread.join()
    assert not hasattr(model, "coef_")


def test_nobody_reads_behind_a_fit():
    blocks = Slow(delay=0.001, hangs_at=10**9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(blocks)
    reads = blocks.reads
    time.sleep(0.05)
    assert blocks.reads == reads
    assert not [t for t in threading.enumerate() if t.name.startswith("fastmlp-blocks")]


MEMORY = """
import sys, threading, time, warnings
from pathlib import Path
import numpy as np
from fastmlp import MLPRegressor, TabularRegressor
from fastmlp.data import Arrays

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

folder, kind = sys.argv[1:]
x = np.lib.format.open_memmap(folder + "/x.npy", "w+", np.float32, (600_000, 100))
y = np.lib.format.open_memmap(folder + "/y.npy", "w+", np.float32, (600_000,))
for i in range(0, len(x), 10_000):
    x[i : i + 10_000] = np.random.default_rng(i).standard_normal((10_000, 100), np.float32)
    y[i : i + 10_000] = x[i : i + 10_000, 0]
warnings.simplefilter("ignore")
model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=2, early_stopping=True, n_jobs=1)
if kind == "table":
    model = TabularRegressor(preset="fast", time_limit=2, n_jobs=2)
    x, y = x[:100_000], y[:100_000]
small = np.random.default_rng(0).standard_normal((3000, 100), np.float32)
type(model)(n_jobs=1).fit(small[:500], small[:500, 0])  # what any fit takes once
before, most, ends = anonymous(), [0.0], threading.Event()
def look():
    while not ends.wait(0.005):
        most[0] = max(most[0], anonymous())
thread = threading.Thread(target=look)
thread.start()
model.fit(Arrays(x, y, memory=32 * 2**20))
ends.set()
thread.join()
print(most[0] - before)
"""


@linux
@pytest.mark.parametrize("kind", ["array", "table"])
def test_memory(tmp_path, kind):
    """Rows of 240 MB in a map, or a table that takes 80 MB when it is encoded, and 32 MiB."""
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path), kind],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) < 32 + 40
