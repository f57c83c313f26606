"""What do more processes cost? `python benchmarks/processes.py`.

A training step of Adam by one process with all threads, and by two processes with half of them
each: fastmlp by MPI and by torch.distributed's gloo, and PyTorch's DistributedDataParallel by gloo.
Runs take turns; every run has processes of its own, and reports the median of its epochs. Before,
what the transports take for a message, and how much they carry a second.

On one machine memory is the network, and both share the cores: this tells what the way by several
processes costs beside one, not what more machines gain.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

# Inputs, hidden layers, classes, rows of a batch, batches of an epoch.
NETWORKS = {
    "784-1024-1024-10, 256": (784, (1024, 1024), 10, 256, 12),
    "1024-2048-2048-1000, 512": (1024, (2048, 2048), 1000, 512, 4),
    "784-256-128-10, 2048": (784, (256, 128), 10, 2048, 8),
}
CONTENDERS = ("fastmlp", "fastmlp, MPI", "fastmlp, gloo", "PyTorch DDP, gloo")
EPOCHS = 6


def parts_of(network: str, rank: int, size: int) -> tuple[Any, Any]:
    """Draw the rows of one process."""
    inputs, _, classes, batch, batches = NETWORKS[network]
    rng = np.random.default_rng(rank)
    rows = batch * batches // size
    x = rng.standard_normal((rows, inputs), dtype=np.float32)
    return x, np.arange(rows) % classes


def by_fastmlp(network: str, communicator: Any, rank: int, size: int, threads: int) -> float:
    """Return the milliseconds of a step."""
    from fastmlp import MLPClassifier, distributed

    _, hidden, _, batch, batches = NETWORKS[network]
    seconds: list[float] = []
    model = MLPClassifier(
        hidden,
        batch_size=batch,
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS,
        random_state=0,
        n_jobs=threads,
        callbacks=lambda end: seconds.append(end.seconds),
    )
    shared: AbstractContextManager[None] = nullcontext()
    if communicator is not None:
        shared = distributed.communicator(communicator)
    with shared:
        model.fit(*parts_of(network, rank, size))
    return 1e3 * median(seconds[1:]) / batches if rank == 0 else 0.0


def by_torch(network: str, rank: int, size: int, threads: int) -> float:
    """Return the milliseconds of a step of PyTorch, with its fused Adam."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    inputs, hidden, classes, batch, batches = NETWORKS[network]
    widths = [inputs, *hidden, classes]
    layers: list[Any] = []
    for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
        layers += [nn.Linear(fan_in, fan_out), *([nn.ReLU()] if i + 2 < len(widths) else [])]
    model = nn.parallel.DistributedDataParallel(nn.Sequential(*layers))
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    loss_of, (x, y) = nn.CrossEntropyLoss(), parts_of(network, rank, size)
    data, targets, seconds = torch.from_numpy(x), torch.from_numpy(y), []
    for _ in range(EPOCHS):
        begun = time.perf_counter()
        for rows in range(0, len(x), batch // size):
            optimizer.zero_grad()
            own = slice(rows, rows + batch // size)
            loss_of(model(data[own]), targets[own]).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - begun)
    return 1e3 * median(seconds[1:]) / batches


def transport_of(communicator: Any, rank: int, size: int) -> dict[str, float]:
    """Measure a message of eight numbers, and one of 16 MiB from each process to the other."""
    from fastmlp._processes.transport import transport_of

    transport = transport_of(communicator, 60.0)
    small, large = np.zeros(8 * size), np.zeros(2**21 * size)
    taken = np.zeros(2**21 * (size - 1))
    counts = [0 if other == rank else 2**21 for other in range(size)]
    times: dict[str, list[float]] = {"us": [], "GB/s": []}
    for _ in range(30):
        begun = time.perf_counter()
        transport.gather(small, [8] * size)
        middle = time.perf_counter()
        transport.swap(large, [2**21] * size, taken, counts)
        end = time.perf_counter()
        times["us"].append(1e6 * (middle - begun))
        times["GB/s"].append(8e-9 * len(taken) / (end - middle))
    return {name: median(values[5:]) for name, values in times.items()}


def work(contender: str, network: str, threads: int) -> None:
    """Be one of the processes of a run; the first prints what it took."""
    communicator, rank, size = None, 0, 1
    if "MPI" in contender:
        from mpi4py import MPI

        communicator = MPI.COMM_WORLD
        rank, size = communicator.rank, communicator.size
    elif "gloo" in contender:
        import torch.distributed as dist

        dist.init_process_group("gloo")
        communicator, rank, size = dist.group.WORLD, dist.get_rank(), dist.get_world_size()
    found: Any
    if network == "transport":
        found = transport_of(communicator, rank, size)
    elif contender.startswith("PyTorch"):
        found = by_torch(network, rank, size, threads)
    else:
        found = by_fastmlp(network, communicator, rank, size, threads)
    if rank == 0:
        print(json.dumps(found))


def run(contender: str, network: str, threads: int) -> Any:
    """Start the processes of a run; return what the first one found."""
    size = 1 if contender == "fastmlp" else 2
    own = max(1, threads // size)
    worker = [sys.executable, __file__, "--work", contender, network, "--threads", str(own)]
    if "gloo" not in contender:
        if "MPI" in contender:
            launcher = Path(sys.executable).with_name("mpiexec")
            worker = [str(launcher), "-n", str(size), *worker]
        done = subprocess.run(worker, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    rendezvous = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
    processes = [
        subprocess.Popen(
            worker,
            env=os.environ | rendezvous | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for rank in range(size)
    ]
    printed = [process.communicate()[0] for process in processes]
    return json.loads(printed[0])


def predicted(network: str, step: float, machines: int, gbits: float) -> float:
    """Return the milliseconds of a step on so many machines like this one, by the cost model.

    The slowest machine's rows, drawn as an epoch's shuffle does, at the speed of this one; the
    gradient of each shard's part to its owner and the weights back, 2 (W - 1) / W of their bytes;
    and three messages of 50 us. Nothing of it overlaps.
    """
    inputs, hidden, classes, batch, _ = NETWORKS[network]
    widths = [inputs, *hidden, classes]
    numbers = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))
    if machines == 1:
        return step
    rows = np.random.default_rng(0).multinomial(batch, [1 / machines] * machines, size=2000)
    slowest = float(rows.max(axis=1).mean()) / batch
    carried = 8.0 * numbers * (machines - 1) / machines / (gbits * 1.25e8)
    return step * slowest + 1e3 * carried + 3 * 0.05


def print_predictions(networks: list[str], steps: dict[str, float]) -> None:
    """Print what the cost model says of more machines."""
    counts, rates = (4, 16, 64), (1, 10, 25, 100)
    print("\nSpeed-up by the cost model (`predicted`), on machines like this one:\n")
    print(
        "| network, batch | Gbit/s | " + " | ".join(f"{count} machines" for count in counts) + " |"
    )
    print("|---|---:|" + "---:|" * len(counts))
    for network in networks:
        for rate in rates:
            gains = [steps[network] / predicted(network, steps[network], n, rate) for n in counts]
            row = " | ".join(f"{gain:.1f}" for gain in gains)
            print(f"| {network} | {rate} | {row} |")


def missing(contender: str) -> bool:
    """Tell whether what a contender needs is not installed."""
    from importlib.util import find_spec

    needs = {"MPI": "mpi4py", "gloo": "torch"}
    return any(name in contender and find_spec(needs[name]) is None for name in needs)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, measure in turns, print the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of all processes of a run together")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--work", nargs=2, metavar=("CONTENDER", "NETWORK"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.work:
        work(*options.work, options.threads)
        return
    contenders = [contender for contender in CONTENDERS if not missing(contender)]
    for contender in contenders:
        if contender.startswith("fastmlp,"):
            found = run(contender, "transport", options.threads)
            print(f"{contender}: {found['us']:.0f} us a message, {found['GB/s']:.1f} GB/s")
    print("\n| network, batch | " + " | ".join(f"{name}, ms" for name in contenders) + " |")
    print("|---|" + "---:|" * len(contenders))
    times: dict[tuple[str, str], list[float]] = {}
    for turn in range(options.rounds):
        for network in options.networks:
            for contender in contenders if turn % 2 == 0 else contenders[::-1]:
                took = run(contender, network, options.threads)
                times.setdefault((network, contender), []).append(took)
    for network in options.networks:
        row = [f"{median(times[network, contender]):.2f}" for contender in contenders]
        print(f"| {network} | " + " | ".join(row) + " |")
    steps = {network: median(times[network, "fastmlp"]) for network in options.networks}
    print_predictions(options.networks, steps)


if __name__ == "__main__":
    main()
