"""Timings to Markdown tables: `python benchmarks/report.py saved.json [more.json ...]`.

Reads what `run.py --json` or pytest's `--benchmark-json` wrote; samples of the same case in several
files are pooled, so they must be of one machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from statistics import quantiles

import chart
import limits
from results import (
    BASELINE,
    Result,
    best_peak,
    best_peer,
    by_task,
    label,
    pooled,
    results_of,
    step_seconds,
)

TITLES = {
    "train": "Training, µs per step",
    "predict": "Prediction, µs per call",
    "estimator": "Prediction of one row by estimators, µs per call; of ONNX Runtime the bare call",
    "fit": "Whole fits by estimators, ms",
}
SECOND = {"train": 1e6, "predict": 1e6, "estimator": 1e6, "fit": 1e3}  # in the unit of the table


def tables(results: Iterable[Result]) -> str:
    """Write a summary and a Markdown table for each kind of measurement, and the limits."""
    results = pooled(results)
    peak = best_peak(results)
    parts = [_limits(results, peak)] if peak else []
    for kind, title in TITLES.items():
        if mine := [r for r in results if r["kind"] == kind]:
            parts.append(f"### {title}")
            parts.append(_summary(mine, peak))
            parts.append(_table(mine, peak))
    return "\n\n".join(part for part in parts if part)


def _limits(results: list[Result], peak: dict[str, float]) -> str:
    worst = {name: min(r["peak"][name] for r in results if r.get("peak")) for name in peak}
    return (
        f"Limits: {peak['flops'] / 1e9:.0f} GFLOP/s and {peak['bandwidth'] / 1e9:.1f} GB/s, the "
        f"best seen in this run; between tasks down to {worst['flops'] / 1e9:.0f} GFLOP/s and "
        f"{worst['bandwidth'] / 1e9:.1f} GB/s"
    )


def _summary(results: list[Result], peak: dict[str, float]) -> str:
    """A row per task: fastmlp, the best peer, the limit. Empty without fastmlp or peers."""
    header = ["task", BASELINE, "best peer", "its time", "ratio", "limit", "share of the limit"]
    rows = []
    for task, group in by_task(results).items():
        mine = min((r for r in group if r["contender"] == BASELINE), key=step_seconds, default=None)
        peer = best_peer(group)
        if mine is None or peer is None:
            continue
        unit, limit = SECOND[mine["kind"]], limits.seconds(mine, peak)
        own, its = step_seconds(mine), step_seconds(peer)
        times = [_three_digits(own * unit), label(peer["contender"]), _three_digits(its * unit)]
        least = "-" if limit is None else _three_digits(limit * unit)
        rows.append([task, *times, f"{its / own:.2f}", least, _share(mine, peak)])
    if results[0]["kind"] == "fit":  # whose operations nobody counts
        header, rows = header[:-2], [row[:-2] for row in rows]
    return _markdown(header, rows, left=(0, 2)) if rows else ""


def _table(results: list[Result], peak: dict[str, float]) -> str:
    kind = results[0]["kind"]
    last = ["score", "loss", "epochs"] if kind == "fit" else ["GFLOP/s", "share of the limit"]
    header = ["task", "contender", "threads", "median", "IQR", "samples/s", f"x {BASELINE}'s"]
    header += ["x best peer's", *last]
    rows = []
    for group in by_task(results).values():
        mine = min((step_seconds(r) for r in group if r["contender"] == BASELINE), default=None)
        peer = best_peer(group)
        peers = None if peer is None else step_seconds(peer)
        rows += [_cells(r, mine, peers, peak) for r in group]
    return _markdown(header, rows, left=(0, 1))


def _cells(
    result: Result, mine: float | None, peers: float | None, peak: dict[str, float]
) -> list[str]:
    step, unit = step_seconds(result), SECOND[result["kind"]]
    cells = [
        result["task"],
        label(result["contender"]),
        str(result["threads"]),
        _three_digits(step * unit),
        _three_digits(_iqr(result["seconds"]) / result["steps"] * unit),
        _three_digits(result["rows"] / step),
        "-" if mine is None else f"{step / mine:.2f}",
        "-" if peers is None else f"{step / peers:.2f}",
    ]
    if result["kind"] == "fit":
        return [*cells, f"{result['score']:.3f}", f"{result['loss']:.2e}", str(result["epochs"])]
    return [*cells, _three_digits(result["flops"] / step / 1e9), _share(result, peak)]


def _share(result: Result, peak: dict[str, float]) -> str:
    limit = limits.seconds(result, peak)
    return "-" if limit is None else f"{100 * limit / step_seconds(result):.1f} %"


def _iqr(samples: list[float]) -> float:
    if len(samples) < 2:
        return 0.0
    low, _, high = quantiles(samples, n=4, method="inclusive")
    return high - low


def _three_digits(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _markdown(header: list[str], rows: list[list[str]], left: tuple[int, ...]) -> str:
    rule = ["---" if i in left else "---:" for i in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def main() -> None:
    """Print the tables of the files named on the command line."""
    parser = argparse.ArgumentParser(description="Print saved benchmark runs as Markdown tables.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--chart", type=Path, metavar="DIR", help="where to save bar charts")
    options = parser.parse_args()
    results = [r for file in options.files for r in results_of(json.loads(file.read_text()))]
    print(tables(results))
    if options.chart:
        chart.save(results, options.chart)


if __name__ == "__main__":
    main()
