"""How fast are many small networks at once? `python benchmarks/packs.py`.

Four networks 128-256-256-1 with dropout are trained for ten epochs on 10,000 rows by AdamW, in
turns: by us one to a thread, and one after the other on all threads; by PyTorch as one pack of
batched products, and one after the other. Beside the seconds stands the share of the processor's
measured peak.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from fastmlp import MLPRegressor, fit_pack, machine_limits

N_NETWORKS, ROWS, INPUTS, UNITS, BATCH, EPOCHS = 4, 10_000, 128, 256, 256, 10
DROPOUT, RATE, DECAY = 0.15, 1e-3, 1e-2
FLOP = 6.0 * N_NETWORKS * EPOCHS * ROWS * (INPUTS * UNITS + UNITS * UNITS + UNITS)


def data(rows: int) -> tuple[Any, Any]:
    """Draw rows of normal numbers, and a target that some of them say."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, INPUTS), dtype=np.float32)
    return x, np.tanh(x[:, :8]).sum(axis=1)


def by_fastmlp(rows: int, epochs: int, threads: int) -> dict[str, Callable[[], Any]]:
    """Return our ways by name."""
    x, y = data(rows)

    def networks(n_jobs: int | None) -> list[MLPRegressor]:
        return [
            MLPRegressor(
                hidden_layer_sizes=(UNITS, UNITS),
                solver="adamw",
                alpha=DECAY,
                learning_rate_init=RATE,
                batch_size=BATCH,
                dropout=DROPOUT,
                max_iter=epochs,
                n_iter_no_change=epochs,
                n_jobs=n_jobs,
                random_state=i,
            )
            for i in range(N_NETWORKS)
        ]

    return {
        "fastmlp, one to a thread": lambda: fit_pack(networks(None), x, y, n_jobs=threads),
        "fastmlp, one after the other": lambda: [net.fit(x, y) for net in networks(threads)],
    }


def by_torch(rows: int, epochs: int, threads: int) -> dict[str, Callable[[], Any]]:
    """Return PyTorch's ways by name; none without it."""
    try:
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(threads)
    x, y = (torch.from_numpy(np.asarray(array, np.float32)) for array in data(rows))

    def train(count: int) -> None:
        """Train networks whose weights are stacked."""
        params = []
        for fan_in, fan_out in pairwise([INPUTS, UNITS, UNITS, 1]):
            bound = (6 / (fan_in + fan_out)) ** 0.5
            params.append((2 * torch.rand(count, fan_in, fan_out) - 1) * bound)
            params.append(torch.zeros(count, 1, fan_out))
        for param in params:
            param.requires_grad_()
        optimizer = torch.optim.AdamW(params, lr=RATE, weight_decay=DECAY, fused=True)
        for _ in range(epochs):
            order = torch.stack([torch.randperm(rows) for _ in range(count)])
            for first in range(0, rows, BATCH):
                places = order[:, first : first + BATCH]
                h = x[places]
                for i in range(0, len(params), 2):
                    h = torch.baddbmm(params[i + 1], h, params[i])
                    if i < len(params) - 2:
                        h = torch.nn.functional.dropout(torch.relu(h), DROPOUT)
                loss = 0.5 * ((h[..., 0] - y[places]) ** 2).mean(dim=1).sum()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()

    return {
        "PyTorch, one pack": lambda: train(N_NETWORKS),
        "PyTorch, one after the other": lambda: [train(1) for _ in range(N_NETWORKS)],
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Print the median of the rounds for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")  # the epochs run out
    size = (options.rows, options.epochs, options.threads)
    ways = by_fastmlp(*size) | by_torch(*size)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    peaks = []
    for _ in range(options.rounds):
        peaks.append(machine_limits(options.threads)["flops"])
        for name, train in ways.items():
            begin = time.perf_counter()
            train()
            seconds[name].append(time.perf_counter() - begin)
    flop = FLOP * options.rows / ROWS * options.epochs / EPOCHS
    peak, best = median(peaks) / 1e9, median(seconds["fastmlp, one to a thread"])
    print(f"peak {peak:.0f} GFLOP/s on {options.threads} threads")
    for name, times in seconds.items():
        middle = median(times)
        rate = flop / middle / 1e9
        share = f"{rate:5.0f} GFLOP/s, {rate / peak:.0%} of the peak"
        print(f"{name:30} {middle:6.2f} s {middle / best:6.2f} {share}")


if __name__ == "__main__":
    main()
