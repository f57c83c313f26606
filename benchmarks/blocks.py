"""What does a data set larger than memory cost? `python benchmarks/blocks.py --gigabytes 20`.

Writes a memory map and a folder of Parquet files of that size, and trains on each with a budget of
memory; every run has a process of its own. For each network: rows a second

- read, block by block, without training,
- trained on in memory, on as many rows as half of the budget holds,
- trained on in windows,

the last one beside the smaller of the first two, and the most anonymous memory of that run (pages
of a map belong to the file). Then the losses of a smaller data set of which a window holds a tenth,
with rows at random and sorted by class, beside those of a fit in memory with a full shuffle.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

FEATURES, CLASSES = 100, 10
NETWORKS = {"64": (64,), "256-128": (256, 128)}
BATCH = 256
CHUNK = 100_000  # rows that are written at once
GROUP = 20_000  # of a row group of Parquet
SEEDS = 5


def rows_at(begin: int, count: int) -> tuple[Any, Any]:
    """Draw rows: classes by a network that was drawn, with noise."""
    rng = np.random.default_rng([1, begin])
    x = rng.standard_normal((count, FEATURES), dtype=np.float32)
    teacher = np.random.default_rng(0)
    w = teacher.standard_normal((FEATURES, 32), dtype=np.float32) / 10
    v = teacher.standard_normal((32, CLASSES), dtype=np.float32)
    noise = rng.gumbel(size=(count, CLASSES)).astype(np.float32)
    return x, (2 * np.tanh(x @ w) @ v + noise).argmax(axis=1).astype(np.uint8)


def write(folder: Path, n_rows: int) -> None:
    """Write the map and the files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parquet = folder / "parquet"
    if parquet.exists():
        return
    unfinished = folder / "unfinished"
    unfinished.mkdir(parents=True, exist_ok=True)
    format_ = np.lib.format
    X = format_.open_memmap(folder / "X.npy", "w+", np.float32, (n_rows, FEATURES))
    y = format_.open_memmap(folder / "y.npy", "w+", np.uint8, (n_rows,))
    names = [*(f"x{j}" for j in range(FEATURES)), "y"]
    for number, begin in enumerate(range(0, n_rows, CHUNK)):
        count = min(CHUNK, n_rows - begin)
        x, t = rows_at(begin, count)
        X[begin : begin + count], y[begin : begin + count] = x, t
        table = pa.table([*x.T, t], names)
        pq.write_table(
            table,
            unfinished / f"{number:05}.parquet",
            row_group_size=GROUP,
            use_dictionary=False,
            compression="none",
        )
    X.flush(), y.flush()
    unfinished.rename(parquet)


def blocks_of(kind: str, folder: Path, memory: int) -> Any:
    """Return the data of a kind."""
    from fastmlp.data import NumpyFiles, Parquet

    if kind == "map":
        return NumpyFiles(folder / "X.npy", folder / "y.npy", memory=memory)
    return Parquet(folder / "parquet", target="y", memory=memory)


class Watch:
    """The most anonymous memory of this process, in bytes."""

    def __init__(self) -> None:
        self.most, self.ends = 0, threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        while not self.ends.wait(0.01):
            self.most = max(self.most, anonymous())


def anonymous() -> int:
    """Return the anonymous memory of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def model_of(network: str, epochs: int, seconds: list[float]) -> Any:
    """Return a classifier that notes what its epochs take."""
    from fastmlp import MLPClassifier

    return MLPClassifier(
        NETWORKS[network],
        batch_size=BATCH,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=0,
        callbacks=lambda end: seconds.append(end.seconds),
    )


def measure(task: str, kind: str, network: str, folder: Path, memory: int) -> dict[str, float]:
    """Return what a run came to, in this process."""
    seconds: list[float] = []
    blocks = blocks_of(kind, folder, memory)
    if task == "read":
        start, n_rows = time.perf_counter(), 0
        for i in range(len(blocks)):
            X, y = blocks[i]
            n_rows += np.array(X, order="C").shape[0]
        return {"rate": n_rows / (time.perf_counter() - start)}
    if task == "memory":
        n_rows = memory // 2 // (4 * FEATURES)
        X = np.array(np.load(folder / "X.npy", mmap_mode="r")[:n_rows])
        y = np.array(np.load(folder / "y.npy", mmap_mode="r")[:n_rows])
        model_of(network, 4, seconds).fit(X, y)
        return {"rate": len(X) / median(seconds[1:])}
    watch = Watch()
    start = time.perf_counter()
    model = model_of(network, 2, seconds).fit(blocks)
    whole = time.perf_counter() - start
    return {
        "rate": len(np.load(folder / "y.npy", mmap_mode="r")) / seconds[-1],
        "before": whole - sum(seconds),
        "memory": watch.most,
        "loss": model.loss_,
    }


def run(*arguments: object) -> dict[str, float]:
    """Measure in another process."""
    command = [sys.executable, __file__, "--measure", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def losses(n_rows: int) -> None:
    """Print the losses of full shuffles and of windows, on rows that were not trained on."""
    from sklearn.metrics import log_loss

    from fastmlp import MLPClassifier
    from fastmlp.data import Arrays

    x, t = rows_at(0, n_rows)
    x_test, t_test = rows_at(n_rows, 50_000)
    order = np.argsort(t, kind="stable")
    row = x.itemsize * FEATURES + 8
    block = max(1, n_rows // 500)
    budget = 2 * block * row + n_rows // 10 * (2 * row + 8)
    kinds: dict[str, Any] = {
        "in memory, full shuffle": (x, t),
        "windows, random rows": (Arrays(x, t, block_rows=block, memory=budget),),
        "windows, sorted by class": (Arrays(x[order], t[order], block_rows=block, memory=budget),),
    }
    print(f"\n{n_rows} rows, windows of a tenth, blocks of {block}; log loss of other rows:")
    for name, data in kinds.items():
        found = []
        for seed in range(SEEDS):
            model = MLPClassifier((64,), batch_size=BATCH, max_iter=5, random_state=seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(*data)
            found.append(log_loss(t_test, model.predict_proba(x_test)))
        print(f"  {name:26} {np.mean(found):.4f} +- {np.std(found):.4f}", flush=True)


def main() -> None:
    """Run everything, or one measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--memory", type=int, default=2**30)
    parser.add_argument("--folder", type=Path, default=Path("build/blocks"))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--loss-rows", type=int, default=500_000)
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        warnings.simplefilter("ignore")
        task, kind, network, folder, memory = given.measure
        print(json.dumps(measure(task, kind, network, Path(folder), int(memory))))
        return
    write(given.folder, int(given.gigabytes * 1e9) // (4 * FEATURES))
    budget = given.memory / 1e6
    print(f"{given.gigabytes:g} GB, memory={budget:.0f} MB; thousands of rows a second")
    for kind in ("map", "parquet"):
        for network in NETWORKS:
            found: dict[str, list[dict[str, float]]] = {}
            for _ in range(given.rounds):
                for task in ("read", "memory", "windows"):
                    result = run(task, kind, network, given.folder, given.memory)
                    found.setdefault(task, []).append(result)
            rates = {task: median(r["rate"] for r in results) for task, results in found.items()}
            least = min(rates["read"], rates["memory"])
            most = max(r["memory"] for r in found["windows"]) / 1e6
            before = median(r["before"] for r in found["windows"])
            print(
                f"  {kind:8} {network:8} read {rates['read'] / 1e3:6.0f}  in memory "
                f"{rates['memory'] / 1e3:6.0f}  windows {rates['windows'] / 1e3:6.0f}  "
                f"({rates['windows'] / least:.2f}); anonymous {most:.0f} MB, before the epochs "
                f"{before:.1f} s",
                flush=True,
            )
    losses(given.loss_rows)


if __name__ == "__main__":
    main()
