"""How much memory does a fit take? `python benchmarks/memory.py`, on Linux or macOS.

A classifier is fitted for one epoch to a memory-mapped array of float64. Each fit has a process of
its own: after a small fit, which loads everything there is to load, the peak of its resident
memory (`getrusage`) is read before and after. Pages of the mapped file count as resident, up to the
whole array, though the system may drop them at any time; what the fit allocates by itself is
anonymous memory, whose growth is watched from a thread where the system tells it (Linux).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

FEATURES, CLASSES = 256, 7
_CHUNK = 4096  # rows that are written at a time
_MIB = 2**20
_LOOK_EVERY = 2e-3  # seconds


def write_array(path: Path, rows: int) -> None:
    """Write rows of normal numbers; every chunk holds the same ones."""
    chunk = np.random.default_rng(0).standard_normal((min(_CHUNK, rows), FEATURES))
    with path.open("wb") as file:
        for start in range(0, rows, len(chunk)):
            chunk[: rows - start].tofile(file)


def measure(library: str, path: Path) -> dict[str, int]:
    """Fit in this process; return the growth of its memory in bytes."""
    if library == "fastmlp":
        from fastmlp import MLPClassifier
    else:
        from sklearn.neural_network import MLPClassifier
    warnings.simplefilter("ignore")  # one epoch does not converge
    x = np.memmap(path, np.float64, "r").reshape(-1, FEATURES)
    y = np.arange(len(x)) % CLASSES
    small = np.random.default_rng(0).standard_normal((1000, FEATURES))
    MLPClassifier(max_iter=1, random_state=0).fit(small, y[:1000])
    model = MLPClassifier(max_iter=1, random_state=0)
    before, watch = _peak(), _Watch()
    with watch:
        model.fit(x, y)
    return {"peak": _peak() - before, "anonymous": watch.growth}


class _Watch:
    """The growth of anonymous memory while this is entered."""

    def __enter__(self) -> None:
        self._start = self._most = _anonymous()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def __exit__(self, *_: Any) -> None:
        self._done.set()
        self._thread.join()
        self.growth = self._most - self._start

    def _look(self) -> None:
        while not self._done.is_set():
            self._most = max(self._most, _anonymous())
            time.sleep(_LOOK_EVERY)


def _peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _anonymous() -> int:
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")]
    return sizes[0] if sizes else 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the array, start a process for each library, print a Markdown table."""
    parser = argparse.ArgumentParser(description="Measure the memory of a fit.")
    add = parser.add_argument
    add("--size", type=float, default=2000, help="of the array, in MB; default 2000")
    add("--libraries", nargs="+", default=["fastmlp"], choices=["fastmlp", "sklearn"])
    add("--folder", type=Path, help="where to put the array; by default where temporary files go")
    add("--measure", nargs=2, help=argparse.SUPPRESS)  # in a process of its own
    options = parser.parse_args(arguments)
    if options.measure:
        library, path = options.measure
        print(json.dumps(measure(library, Path(path))))
        return
    rows = int(options.size * 1e6 / 8 / FEATURES)
    size = rows * FEATURES * 8
    print(f"{rows} x {FEATURES} float64, {size / _MIB:.0f} MiB; MiB in the table\n")
    print("| library | peak growth | less the array | anonymous growth |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "x.bin"
        write_array(path, rows)
        for library in options.libraries:
            command = [sys.executable, __file__, "--measure", library, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            grown = json.loads(done.stdout)
            parts = (grown["peak"], grown["peak"] - size, grown["anonymous"])
            print(f"| {library} | {' | '.join(f'{part / _MIB:.1f}' for part in parts)} |")


if __name__ == "__main__":
    main()
