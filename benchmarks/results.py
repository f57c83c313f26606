"""Results of the benchmarks: what one is, how it is saved, what several say together."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any

BASELINE = "fastmlp"
LABELS = {
    "sklearn": "scikit-learn",
    "numpy": "NumPy",
    "torch": "PyTorch",
    "torch_compile": "torch.compile",
    "torch_bf16": "PyTorch bfloat16",
    "jax": "JAX",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "fastmlp_graph": "fastmlp graph",
}

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


def best_peak(results: Iterable[Result]) -> dict[str, float]:
    """Take the best of all measurements of the machine's limits, so that no share is flattered."""
    peaks = [r["peak"] for r in results if r.get("peak")]
    return {name: max(peak[name] for peak in peaks) for name in peaks[0]} if peaks else {}


def best_peer(results: Iterable[Result]) -> Result | None:
    """Find the fastest of other libraries at a task that computes in float32, as fastmlp does."""
    own = (BASELINE, "fastmlp_graph")
    peers = (r for r in results if r["contender"] not in own and "arithmetic" not in r)
    return min(peers, key=step_seconds, default=None)


def step_seconds(result: Result) -> float:
    """Compute the median time of one step or call."""
    return float(median(result["seconds"]) / result["steps"])


def label(contender: str) -> str:
    """Spell the name of a contender."""
    return LABELS.get(contender, contender)


def by_task(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Put the contenders at each task together."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result["task"], []).append(result)
    return groups
