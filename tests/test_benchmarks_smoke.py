"""The benchmarks run: one task through `benchmarks/run.py`, answers checked, no time asserted."""

import json
from importlib import import_module
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
CONTENDERS = ["fastmlp", "numpy", "sklearn"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_run_checks_measures_and_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    run, report = import_module("run"), import_module("report")
    saved = tmp_path / "tiny.json"
    options = ["--tasks", "tiny", "--rounds", "1", "--threads", "1", "--json", str(saved)]
    with threadpool_limits(1):  # the run sets limits; this takes them back at its end
        run.main([*options, "--contenders", *CONTENDERS])

    results = report.results_of(json.loads(saved.read_text()))
    assert [result["contender"] for result in results] == CONTENDERS
    assert all(len(result["seconds"]) == 1 for result in results)
    assert report.tables(results) in capsys.readouterr().out
