"""Timings to Markdown tables: `python benchmarks/report.py saved.json [more.json ...]`.

Reads what `run.py --json` or pytest's `--benchmark-json` wrote; samples of the same case in several
files are pooled.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

BASELINE = "fastmlp"
TITLES = {
    "train": "Training, µs per step",
    "predict": "Prediction, µs per call",
    "fit": "Whole fits by estimators, ms",
}
SECOND = {"train": 1e6, "predict": 1e6, "fit": 1e3}  # in the unit of the table

Result = dict[str, Any]  # a case's info with its "seconds": samples, each for all of its steps


def results_of(saved: dict[str, Any]) -> list[Result]:
    """Take the results out of a benchmark file."""
    return [{**b["extra_info"], "seconds": b["stats"]["data"]} for b in saved["benchmarks"]]


def saved_form(results: Iterable[Result], machine: dict[str, Any]) -> dict[str, Any]:
    """Bring results into the part of pytest-benchmark's format that `results_of` reads."""
    benchmarks = [
        {
            "name": f"{r['kind']}: {r['task']} [{r['contender']}]",
            "group": f"{r['kind']}: {r['task']}",
            "stats": {"data": r["seconds"], "median": median(r["seconds"])},
            "extra_info": {key: value for key, value in r.items() if key != "seconds"},
        }
        for r in results
    ]
    return {"machine_info": machine, "benchmarks": benchmarks}


def pooled(results: Iterable[Result]) -> list[Result]:
    """Join the samples of equal cases."""
    cases: dict[tuple[Any, ...], Result] = {}
    for result in results:
        key = tuple(result[name] for name in ("kind", "task", "contender", "threads"))
        if key in cases:
            cases[key]["seconds"] += result["seconds"]
        else:
            cases[key] = {**result, "seconds": list(result["seconds"])}
    return list(cases.values())


def tables(results: Iterable[Result]) -> str:
    """Write one Markdown table for each kind of measurement."""
    results = pooled(results)
    parts = []
    for kind, title in TITLES.items():
        if mine := [r for r in results if r["kind"] == kind]:
            parts.append(f"### {title}\n\n{_table(mine, kind)}")
    return "\n\n".join(parts)


def _table(results: list[Result], kind: str) -> str:
    last = ["score", "epochs"] if kind == "fit" else ["GFLOP/s"]
    header = ["task", "contender", "threads", "median", "IQR", f"x {BASELINE}'s", *last]
    lines = [_line(header), _line(["---", "---", *["---:"] * (len(header) - 2)])]
    for task in dict.fromkeys(r["task"] for r in results):
        rows = [r for r in results if r["task"] == task]
        baseline = [_step_seconds(r) for r in rows if r["contender"] == BASELINE]
        lines += [_line(_cells(r, min(baseline, default=None))) for r in rows]
    return "\n".join(lines)


def _cells(result: Result, baseline: float | None) -> list[str]:
    step, unit = _step_seconds(result), SECOND[result["kind"]]
    cells = [
        result["task"],
        result["contender"],
        str(result["threads"]),
        _three_digits(step * unit),
        _three_digits(_iqr(result["seconds"]) / result["steps"] * unit),
        "-" if baseline is None else f"{step / baseline:.2f}",
    ]
    if result["kind"] == "fit":
        return [*cells, f"{result['score']:.3f}", str(result["epochs"])]
    return [*cells, _three_digits(result["flops"] / step / 1e9)]


def _step_seconds(result: Result) -> float:
    return float(median(result["seconds"]) / result["steps"])


def _iqr(samples: list[float]) -> float:
    if len(samples) < 2:
        return 0.0
    low, _, high = quantiles(samples, n=4, method="inclusive")
    return high - low


def _three_digits(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the tables of the files named on the command line."""
    parser = argparse.ArgumentParser(description="Print saved benchmark runs as Markdown tables.")
    parser.add_argument("files", nargs="+", type=Path)
    files = parser.parse_args().files
    print(tables(r for file in files for r in results_of(json.loads(file.read_text()))))


if __name__ == "__main__":
    main()
