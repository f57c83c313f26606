"""The benchmarks run: each kind of measurement at its smallest, answers checked, no time asserted.

Contenders that aren't installed are left out. torch.compile is, too, for the time that it takes.
"""

import json
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("benchmarks")  # they share a run

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TRAINS = {"fastmlp", "sklearn", "numpy", "torch", "torch_bf16", "jax"}
SERVES = {"onnxruntime", "openvino"}
TASKS = ["tiny", "tiny b1", "tiny b1 estimator", "fit diabetes"]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


def script(name: str, *arguments: object) -> str:
    """Run one of the benchmarks as a user would; return what it prints."""
    command = [sys.executable, BENCHMARKS / name, *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a run's samples and charts, and what the run printed."""
    folder = tmp_path_factory.mktemp("benchmarks")
    contenders = sorted(TRAINS | SERVES)
    options = ["--tasks", *TASKS, "--rounds", 1, "--threads", 1, "--contenders", *contenders]
    return folder, script("run.py", *options, "--json", folder / "run.json", "--chart", folder)


def results(saved: tuple[Path, str]) -> list[dict[str, Any]]:
    return import_module("results").results_of(json.loads((saved[0] / "run.json").read_text()))


def installed(*contenders: str) -> set[str]:
    missing = import_module("contenders").missing
    return {name for name in contenders if not missing(name.removesuffix("_bf16"))}


@pytest.mark.parametrize(
    ("kind", "able"),
    [
        ("train", TRAINS),
        ("predict", TRAINS | SERVES),
        ("estimator", {"fastmlp", "sklearn", "onnxruntime"}),
        ("fit", {"fastmlp", "sklearn", "torch"}),
    ],
)
def test_all_who_can_take_part(saved: tuple[Path, str], kind: str, able: set[str]) -> None:
    mine = [result for result in results(saved) if result["kind"] == kind]
    assert {result["contender"] for result in mine} == installed(*able)
    assert all(len(result["seconds"]) == 1 for result in mine)


def test_tables_and_charts(saved: tuple[Path, str]) -> None:
    folder, printed = saved
    assert import_module("report").tables(results(saved)) in printed
    for kind in ("train", "predict", "estimator", "fit"):
        assert (folder / f"{kind}.png").stat().st_size > 0
        assert (folder / f"{kind}.svg").stat().st_size > 0


def test_a_limit_is_arithmetic_or_memory_traffic() -> None:
    limits, tasks = import_module("limits"), import_module("tasks")
    peak = {"flops": 1e12, "bandwidth": 1e10}
    assert limits.seconds({"flops": 1e9, "bytes": 1e6}, peak) == 1e-3
    assert limits.seconds({"flops": 1e9, "bytes": 1e8}, peak) == 1e-2
    assert limits.seconds({"flops": 1e9, "bytes": 1e8}, {}) is None
    task = tasks.TASKS["optbound"]
    assert limits.bytes_per_step(task, cache=2**25) == 28 * task.n_params
    assert limits.bytes_per_prediction(task, cache=2**25) == 4 * task.n_params
    assert limits.bytes_per_step(tasks.TASKS["tiny"], cache=2**25) == 0


def test_wrong_answers_and_failures_are_told_apart() -> None:
    worker, cases = import_module("worker"), import_module("cases")
    contenders = import_module("contenders")
    with closing(worker.Worker("sklearn", 1)) as sklearn:
        with pytest.raises(contenders.UnsupportedError, match="dropout"):
            sklearn.ask("make", "drop")
        with pytest.raises(worker.WorkerError, match="unknown task"):
            sklearn.ask("make", "no such task")
        assert sklearn.ask("make", "policy b1")["rows"] == 1
        assert sklearn.ask("sample") > 0
    with pytest.raises(cases.WrongAnswerError, match="why"):
        cases._require(False, "why")


def test_scaling_and_memory(tmp_path: Path) -> None:
    options = ["--quantities", "depth", "--at-most", 2, "--rounds", 1, "--threads", 1]
    printed = script("scaling.py", *options, "--chart", tmp_path, "--json", tmp_path / "run.json")
    assert "| depth 2 | fastmlp |" in printed
    assert (tmp_path / "scaling.png").stat().st_size > 0
    if sys.platform != "win32":
        printed = script("memory.py", "--size", 8, "--folder", tmp_path)
        assert "| fastmlp |" in printed


def test_the_forest_has_the_shape_of_the_data_that_it_stands_for() -> None:
    x, y = import_module("fits").forest_like(rows=2000)
    assert x.shape == (2000, 54)
    assert sorted(set(y)) == list(range(7))
