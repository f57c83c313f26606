"""Everything against everything: `python benchmarks/run.py`.

Every contender has a process of its own. At each task they take turns, round after round, so that a
disturbance of the machine meets all of them; the others sleep meanwhile. Answers are checked before
anything is timed, and the machine's limits are measured before and after.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import chart
import machine
from cases import KINDS, WrongAnswerError, task_names
from contenders import CHOOSES_THREADS, NAMES, UnsupportedError
from report import tables
from results import Result, saved_form
from worker import Worker, WorkerError

TRIALS = 3  # samples by which the better number of threads is found


class Contender:
    """A contender with its processes: one, or one for a single thread and one for all."""

    def __init__(self, name: str, threads: int | None) -> None:
        self.name = name
        counts = [threads]
        if threads is None and name not in CHOOSES_THREADS:
            counts = sorted({1, machine.usable_cores()})
        self.workers = [Worker(name, count) for count in counts]

    def enter(self, task: str) -> tuple[Worker, Result]:
        """Make the case with each number of threads; keep the fastest in a short trial."""
        entries = []
        for worker in self.workers:
            entries.append((worker, {**worker.ask("make", task), "seconds": []}))
            if len(entries) == 2:
                entries.sort(key=_trial)
                entries.pop()[0].ask("drop")
        return entries[0]

    def close(self) -> None:
        """End the processes."""
        for worker in self.workers:
            worker.close()


def _trial(entry: tuple[Worker, Result]) -> float:
    """Seconds of a call; of a whole fit, those of the fit that was checked."""
    worker, case = entry
    return case.get("first") or min(worker.ask("sample") for _ in range(TRIALS))


def measure(entries: Sequence[tuple[Worker, Result]], rounds: int) -> list[Result]:
    """Time the cases in turns, forwards and backwards; "seconds" are those of one call."""
    order = list(entries)
    for n in range(rounds):
        for worker, result in order:
            if n < result.get("most_rounds", rounds):
                result["seconds"].append(worker.ask("sample"))
        order.reverse()
    return [result for _, result in entries]


class Arena:
    """The contenders' processes, and one that measures the machine's limits."""

    def __init__(self, contenders: Sequence[str], threads: int | None) -> None:
        self.contenders = [Contender(name, threads) for name in contenders]
        self.gauge = Worker("fastmlp", threads)
        self.failures: list[str] = []

    def __enter__(self) -> Arena:
        return self

    def __exit__(self, *_: Any) -> None:
        with ExitStack() as stack:
            for process in (*self.contenders, self.gauge):
                stack.enter_context(closing(process))

    def run(self, tasks: Iterable[str], rounds: int) -> Iterator[list[Result]]:
        """Measure task after task; say on stderr what is under way, and who is left out and why."""
        for task in tasks:
            print(f"{task} ...", file=sys.stderr)
            entries = list(self._entries(task))
            before = self.gauge.ask("limits")
            results = measure(entries, rounds)
            after = self.gauge.ask("limits")
            peak = {name: max(before[name], after[name]) for name in before}
            yield [{**result, "peak": peak} for result in results]

    def _entries(self, task: str) -> Iterator[tuple[Worker, Result]]:
        for contender in self.contenders:
            try:
                yield contender.enter(task)
            except UnsupportedError as reason:
                print(f"{task}: {contender.name} is left out: {reason}", file=sys.stderr)
            except (WrongAnswerError, WorkerError) as error:
                self.failures.append(f"{task}: {contender.name} FAILED: {error}")
                print(self.failures[-1], file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure, print the tables, save samples and charts."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(task_names(options.kinds)))
        return
    results: list[Result] = []
    with Arena(options.contenders, options.threads) as arena:
        for more in arena.run(options.tasks or task_names(options.kinds), options.rounds):
            results += more
            if options.json:  # after each task, so that a run cut short leaves something
                saved = saved_form(results, machine.describe())
                options.json.write_text(json.dumps(saved, indent=1))
    about = "\n".join(f"{key}: {value}" for key, value in machine.describe().items())
    print(about, tables(results), sep="\n\n")
    if options.chart:
        chart.save(results, options.chart)
    if arena.failures:
        sys.exit("\n".join(arena.failures))


def _parser() -> argparse.ArgumentParser:
    names = task_names()
    parser = argparse.ArgumentParser(description="Compare fastmlp with its peers.")
    add = parser.add_argument
    add("--tasks", nargs="+", choices=names, metavar="TASK", help="by name; see --list")
    add("--kinds", nargs="+", default=KINDS, choices=KINDS, help="or all tasks of some kinds")
    add("--contenders", nargs="+", default=NAMES, choices=NAMES)
    add("--rounds", type=int, default=9)
    add("--threads", type=int, help="of every contender; by default its best")
    add("--json", type=Path, help="where to save all samples")
    add("--chart", type=Path, metavar="DIR", help="where to save bar charts as PNG and SVG")
    add("--list", action="store_true", help="list the tasks and leave")
    return parser


if __name__ == "__main__":
    main()
