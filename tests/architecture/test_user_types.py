"""A user's code is clean under `mypy --strict`, and the hints find mistakes in it."""

import os
import site
import subprocess
import sys
from pathlib import Path

import pytest

import fastmlp

CODE = Path(__file__).with_name("user_code.py")
PACKAGE = Path(fastmlp.__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A place for mypy, whose second run takes what the first one left."""
    return tmp_path_factory.mktemp("mypy")


def mypy(file, folder):
    """Check a file against the package that is imported here, and return what mypy says."""
    environment = os.environ.copy()
    installed = map(Path, (*site.getsitepackages(), site.getusersitepackages()))
    if PACKAGE.parent not in installed:  # an editable install, which mypy doesn't look up
        environment["MYPYPATH"] = str(PACKAGE.parent)
    # No configuration, and as for any other package no complaints about what is in ours.
    options = ["--strict", "--config-file=", "--follow-imports=silent", "--no-error-summary"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--cache-dir", folder / "cache", file],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in (0, 1), run.stderr
    return run.stdout


def test_a_users_code_is_clean(folder):
    assert mypy(CODE, folder) == ""


def test_the_check_sees_the_package(folder):
    """Without the package every name of it would be Any, and anything would pass."""
    if not (PACKAGE / "py.typed").exists():
        pytest.fail("py.typed is not installed")
    file = folder / "code.py"
    file.write_text("import fastmlp\nreveal_type(fastmlp.Dense(3).units)\nfastmlp.Nothing\n")
    said = mypy(file, folder)
    assert 'Revealed type is "int"' in said.replace("builtins.", "")
    assert 'Module has no attribute "Nothing"' in said
