"""The rooms of src/cpp: a file includes files of its own room and of lower floors only."""

import re
from pathlib import Path

import pytest
from loops import each

CPP = Path(__file__).parents[2] / "src" / "cpp"
FLOORS = {
    "base": 0,
    "catalog": 0,
    "simd": 1,
    "kernels": 2,
    "nn": 3,
    "graph": 3,
    "train": 4,
    "perceptron": 4,
    "bindings": 5,
}
SOURCES = sorted(p for p in CPP.rglob("*") if p.suffix in {".h", ".cpp", ".def"})
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def name(path):
    return str(path.relative_to(CPP))


def room(path):
    return Path(path).parts[0]


# What is compiled for a target; the others are compiled for every CPU.
KERNELS = [
    path
    for path in SOURCES
    if room(name(path)) in {"kernels", "simd"} and path.stem not in {"dispatch", "machine_limits"}
]


def test_there_is_something_to_check():
    assert len(SOURCES) > 20
    assert {room(name(path)) for path in SOURCES} <= set(FLOORS)


@each("path", SOURCES)
def test_includes_go_down(path):
    own = room(name(path))
    for included in INCLUDE.findall(path.read_text()):
        assert (CPP / included).exists(), f"{included} is not written from src/cpp"
        other = room(included)
        # base and catalog share the ground floor, and only the catalog looks sideways.
        sideways = (own, other) == ("catalog", "base")
        assert other == own or sideways or FLOORS[other] < FLOORS[own], included


@each("path", SOURCES)
def test_only_parallel_knows_openmp(path):
    knows = re.search(r"#\s*pragma\s+omp|_Pragma\s*\(\s*\"omp|\bomp_\w+|<omp\.h>", path.read_text())
    assert not knows or name(path) in {"base/parallel.h", "base/parallel.cpp"}


@pytest.mark.parametrize("path", KERNELS, ids=name)
def test_kernels_include_no_library(path):
    """Inline functions of the standard library could reach lesser CPUs through the linker."""
    system = re.findall(r"^\s*#\s*include\s+<([^>]+)>", path.read_text(), re.MULTILINE)
    assert set(system) <= {"cstddef", "cstdint", "immintrin.h", "utility"}


@each("path", SOURCES)
def test_every_file_opens_with_what_it_is(path):
    """Headers and tables say what they hold; a .cpp may leave that to its header."""
    if path.suffix == ".cpp" and path.with_suffix(".h").exists():
        return
    assert path.read_text().startswith("// ")
