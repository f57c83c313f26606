"""Everything against everything: `python benchmarks/run.py`.

The contenders of a task take turns, round after round, so that a disturbance of the machine meets
all of them. Answers are checked before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import machine
from cases import Case, cases_of, task_names, timed
from contenders import NAMES
from report import Result, saved_form, tables

SHORTEST_SAMPLE = 2e-3  # seconds; shorter calls are repeated within a sample


def measure(cases: Sequence[Case], rounds: int) -> list[Result]:
    """Time the cases in turns, forwards and backwards; `seconds` are those of one call."""
    samples: list[list[float]] = [[] for _ in cases]
    order = list(range(len(cases)))
    for _ in range(rounds):
        for i in order:
            cases[i].prepare()
            samples[i].append(timed(cases[i].call, SHORTEST_SAMPLE))
        order.reverse()
    return [{**case.info, "seconds": seconds} for case, seconds in zip(cases, samples, strict=True)]


def run(
    tasks: Iterable[str], contenders: Sequence[str], rounds: int, threads: int | None
) -> Iterator[list[Result]]:
    """Measure task after task; say on stderr what is under way, and who is left out and why."""
    for task in tasks:
        print(f"{task} ...", file=sys.stderr)
        cases, reasons = cases_of(task, contenders, threads)
        print(*reasons, sep="\n", end="\n" if reasons else "", file=sys.stderr)
        yield measure(cases, rounds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure, print the tables and save the samples."""
    parser = argparse.ArgumentParser(description="Compare fastmlp with its peers.")
    parser.add_argument(
        "--tasks", nargs="+", default=task_names(), choices=task_names(), metavar="TASK"
    )
    parser.add_argument("--contenders", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, help="of every contender; by default its best")
    parser.add_argument("--json", type=Path, help="where to save all samples")
    parser.add_argument("--list", action="store_true", help="list the tasks and leave")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(task_names()))
        return
    results: list[Result] = []
    for more in run(options.tasks, options.contenders, options.rounds, options.threads):
        results += more
        if options.json:  # after each task, so that a run that is cut short leaves something
            saved = saved_form(results, machine.describe())
            options.json.write_text(json.dumps(saved, indent=1))
    about = "\n".join(f"{key}: {value}" for key, value in machine.describe().items())
    print(about, tables(results), sep="\n\n")


if __name__ == "__main__":
    main()
