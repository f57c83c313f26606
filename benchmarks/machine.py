"""Where the numbers come from: processor, cores, caches, measured limits, versions, BLAS."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from contenders import missing
from threadpoolctl import threadpool_info

_PACKAGES = ("fastmlp", "scikit-learn", "numpy", "torch", "jax", "onnxruntime", "openvino")
_CPUS = Path("/sys/devices/system/cpu")
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def describe() -> dict[str, Any]:
    """Collect what has to be known to compare one run with another."""
    return {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "last-level cache, MiB": round(last_level_cache() / 2**20, 1),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "fastmlp target": _fastmlp_target(),
        "blas": sorted(
            {_blas_name(pool) for pool in threadpool_info() if pool["user_api"] == "blas"}
        ),
    }


def usable_cores() -> int:
    """Count the cores that this process may use."""
    return len(_usable_cpus()) or os.cpu_count() or 1


def limits(threads: int | None = None) -> dict[str, float]:
    """Measure what the processor can do: "flops" and "bandwidth", per second.

    Float32 multiply-adds in registers, and the triad of STREAM, on so many threads; all by default.
    Empty where fastmlp is missing or too old to measure them.
    """
    if missing("fastmlp"):
        return {}
    import fastmlp

    if not hasattr(fastmlp, "machine_limits"):
        return {}
    measured = fastmlp.machine_limits(n_jobs=threads)
    return {name: float(measured[name]) for name in ("flops", "bandwidth")}


def last_level_cache() -> int:
    """Bytes of the last-level caches of the usable cores together, as /sys tells; 0 if unknown."""
    caches = {}
    for cpu in _usable_cpus():
        levels = [
            path for path in (_CPUS / f"cpu{cpu}/cache").glob("index*") if _read(path, "size")
        ]
        if levels:
            last = max(levels, key=lambda path: int(_read(path, "level")))
            size = _read(last, "size")
            caches[_read(last, "shared_cpu_list")] = int(size[:-1]) * _UNITS[size[-1]]
    return sum(caches.values())


def _usable_cpus() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _read(path: Path, name: str) -> str:
    try:
        return (path / name).read_text().strip()
    except OSError:
        return ""


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # not installed, or fastmlp straight from its source tree
        return str(getattr(sys.modules.get(package), "__version__", "not installed"))


def _fastmlp_target() -> str:
    if reason := missing("fastmlp"):
        return reason
    import fastmlp

    return fastmlp.get_target()


def _blas_name(pool: dict[str, Any]) -> str:
    return f"{pool['internal_api']} {pool.get('version')} ({pool.get('architecture')})"
