"""A process of its own for one contender with one number of threads.

Threads of OpenMP, BLAS and other pools spin for a while after their work, at the cost of whoever
is measured next on the same cores, and some pools can only be sized once in a process. So every
contender lives in a process that sleeps while others are measured; an answer is sent only when all
threads of the process have come to rest. `Worker` is the side that asks. Requests and answers are
lines of JSON:

["make", task]    make the case and check its answers; its info
["sample"]        prepare the case, then the seconds of one call
["limits"]        the machine's limits
["drop"]          forget the case and its memory
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import machine
import tasks
from cases import Case, WrongAnswerError, case_of, timed
from contenders import UnsupportedError

# Seconds; shorter calls are repeated within a sample.
SHORTEST_SAMPLE = 0.1
# Seconds between looks, and the busy share of them that passes as rest. The system adds up the time
# of a thread that runs on another core at its ticks, as rare as every 10 ms: from one look to the
# next there must be one.
_ALERT, _REST = 20e-3, 0.1
_PATIENCE = 1.0


class WorkerError(RuntimeError):
    """A contender's process failed; the message has its traceback."""


class Worker:
    """The process of a contender, started with the first request."""

    def __init__(self, contender: str, threads: int | None) -> None:
        self.contender, self.threads = contender, threads
        self._process: subprocess.Popen[str] | None = None

    def ask(self, *request: str) -> Any:
        """Send a request and wait for the answer.

        Raises
        ------
        UnsupportedError
            If the contender cannot do this task.
        WrongAnswerError
            If its answers are wrong.
        WorkerError
            If anything else went wrong in the process.
        """
        self._process = self._process or self._start()
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            status, self._process = self._process.wait(), None
            raise WorkerError(f"{self.contender}: its process ended with status {status}")
        outcome, answer = json.loads(line)
        if outcome != "done":
            errors = {"unsupported": UnsupportedError, "wrong": WrongAnswerError}
            raise errors.get(outcome, WorkerError)(answer)
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()  # closes its input, which ends it
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        threads = "" if self.threads is None else str(self.threads)
        command = [sys.executable, str(Path(__file__)), self.contender, threads]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


def serve(contender: str, threads: int | None) -> None:
    """Answer the requests on standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    desk = _Desk(contender, threads)
    for line in sys.stdin:
        request, *arguments = json.loads(line)
        answer = _outcome(getattr(desk, request), arguments)
        _come_to_rest()
        print(json.dumps(answer), file=answers, flush=True)


class _Desk:
    """The requests, each a method."""

    def __init__(self, contender: str, threads: int | None) -> None:
        self.contender, self.threads = contender, threads
        self.case: Case | None = None

    def make(self, task: str) -> dict[str, Any]:
        self.drop()
        self.case = case_of(task, self.contender, self.threads)
        return dict(self.case.info)

    def sample(self) -> float:
        assert self.case is not None
        self.case.prepare()
        return timed(self.case.call, SHORTEST_SAMPLE)

    def limits(self) -> dict[str, float]:
        return machine.limits(self.threads)

    def drop(self) -> None:
        self.case = None
        tasks.data.cache_clear()
        gc.collect()


def _outcome(act: Any, arguments: list[str]) -> tuple[str, Any]:
    """What came of a request: "done" and the answer, or what went wrong and a message."""
    try:
        return "done", act(*arguments)
    except UnsupportedError as reason:
        return "unsupported", str(reason)
    except WrongAnswerError as error:
        return "wrong", str(error)
    except Exception:
        return "failed", traceback.format_exc()


def _come_to_rest() -> None:
    """Wait until no thread of this process is at work any more."""
    end = time.perf_counter() + _PATIENCE
    while time.perf_counter() < end:
        worked, began = time.process_time(), time.perf_counter()
        time.sleep(_ALERT)
        if time.process_time() - worked < _REST * (time.perf_counter() - began):
            return
    print("some thread does not come to rest: it may disturb the others", file=sys.stderr)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]) if sys.argv[2] else None)
