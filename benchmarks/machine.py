"""Where the numbers come from: processor, cores, versions, and the BLAS behind the peers."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cases import usable_cores
from contenders import missing
from threadpoolctl import threadpool_info

_PACKAGES = ("fastmlp", "scikit-learn", "numpy", "torch", "jax")


def describe() -> dict[str, Any]:
    """Collect what has to be known to compare one run with another."""
    return {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "fastmlp target": _fastmlp_target(),
        "blas": sorted(
            {_blas_name(pool) for pool in threadpool_info() if pool["user_api"] == "blas"}
        ),
    }


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
