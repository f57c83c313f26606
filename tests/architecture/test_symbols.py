"""Symbols of the kernel objects: nothing that the linker could hand to code for lesser CPUs.

A weak symbol (an inline function that was not inlined) of one target's objects may be picked for
the whole program, so each must live in the target's own namespace.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fastmlp import _core

REPOSITORY = Path(__file__).parents[2]
TARGETS = [row["name"] for row in _core.catalog()["targets"]]


def kernel_objects(target):
    """Objects of the CMake library fastmlp_kernels_<target>, of the newest build there is."""
    given = os.environ.get("FASTMLP_BUILD_DIR")
    roots = [Path(given)] if given else [REPOSITORY / "build"]
    folders = {
        folder
        for root in roots
        if root.is_dir()
        for folder in root.rglob(f"fastmlp_kernels_{target}*.dir")
    }
    if not folders:
        return []
    newest = max(folder.parent for folder in folders if list(folder.rglob("*.o")))
    return sorted(o for folder in folders if folder.parent == newest for o in folder.rglob("*.o"))


def symbols(path):
    """(kind, demangled name) of every defined symbol."""
    listing = subprocess.run(
        ["nm", "-C", "--defined-only", path], check=True, capture_output=True, text=True
    )
    for line in listing.stdout.splitlines():
        _, kind, symbol = line.split(maxsplit=2)
        yield kind, symbol


@pytest.mark.parametrize("target", TARGETS)
def test_weak_symbols_stay_in_their_namespace(target):
    if shutil.which("nm") is None:
        pytest.skip("needs nm")
    objects = kernel_objects(target)
    if not objects:
        pytest.skip("no build folder with objects: set FASTMLP_BUILD_DIR")
    for path in objects:
        defined = list(symbols(path))
        assert any(f"fastmlp::{target}::kFloat" in symbol for _, symbol in defined), path
        strangers = [
            symbol
            for kind, symbol in defined
            if kind in "VvWwuTDBR"
            and f"fastmlp::{target}::" not in symbol
            # `guard variable for`, `typeinfo` and the like would name a namespace as well
            and not symbol.startswith(("DW.ref.", ".L"))
        ]
        assert strangers == [], path.name
