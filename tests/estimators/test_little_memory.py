"""`save` and `load` with little memory, of files that claim more than they hold, and of files that
change meanwhile. What could end a process, hang or take all memory runs in one of its own."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from stored import frame, perceptron, run, split

import fastmlp

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as on Linux")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


# Memory

MODELS = {
    "perceptron": """
model = Perceptron(max_iter=5, random_state=0).fit([[0.0], [1.0]], [0, 1])
model.coef_, model.n_features_in_ = np.ones((1, 2**22)), 2**22
""",
    "network": "model = Network([Dense(2048)], 4096, random_state=0, n_jobs=1)",
}


@linux
@pytest.mark.parametrize("kind", MODELS)
def test_little_memory(path, kind):
    """Rooms of less and more than the 32 MiB that the weights take."""
    said = run(
        f"""
{MODELS[kind]}
fastmlp.save(model, path)
for call in [(fastmlp.save, model, path), (fastmlp.load, path)]:
    for room in (1, 16, 36, 48, 256):
        limit(room * 2**20)
        print(attempt(*call))
""",
        path,
    )
    assert len(said) == 10
    for saved_or_loaded in (said[:5], said[5:]):
        assert set(saved_or_loaded[:4]) <= {"no-memory", "done"}
        assert saved_or_loaded[4] == "done"
    assert os.listdir(path.parent) == [path.name]


def test_a_model_is_not_copied_to_be_saved(path):
    model = perceptron(2**20)
    tracemalloc.start()
    fastmlp.save(model, path)
    _, saving = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    fastmlp.load(path)
    _, loading = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert saving < 2**20
    assert loading < 1.25 * model.coef_.nbytes


def claim(path, n_features):
    """Make the file of a perceptron claim so many features; return the size that it then needs."""
    table, data = split(path.read_bytes())
    end = 16 + 8 * n_features
    table["coef"] |= {"shape": [1, n_features], "data_offsets": [16, end]}
    table["intercept"]["data_offsets"] = [end, end + 8]
    content = frame(table, data)
    path.write_bytes(content)
    return len(content) - len(data) + end + 8


@linux
@pytest.mark.parametrize("hole", [False, True])
def test_a_small_file_that_claims_60_gib(path, hole):
    fastmlp.save(perceptron(), path)
    size = claim(path, 60 * 2**27)
    assert size > 60 * 2**30
    if hole:
        os.truncate(path, size)
        assert path.stat().st_blocks < 100
    assert run("limit(2**26)\nprint(attempt(fastmlp.load, path))", path) == ["refused"]
    with pytest.raises(ValueError, match=rf"claims {size} bytes" if hole else "there are"):
        fastmlp.load(path)


@linux
@pytest.mark.parametrize("held", [2**16, 2**21])
def test_holes_are_for_files_that_hold_a_hundredth(path, held):
    model = perceptron(2**23 + 2**16)
    model.coef_[:] = 0
    fastmlp.save(model, path)
    content = path.read_bytes()
    path.unlink()
    with path.open("wb") as file:
        file.write(content[:held])
        file.seek(len(content) - 8)
        file.write(content[-8:])
    if held > len(content) / 100:
        np.testing.assert_array_equal(fastmlp.load(path).coef_, model.coef_)
    else:
        with pytest.raises(ValueError, match=rf"claims {len(content)} bytes, but holds \d+ and"):
            fastmlp.load(path)


# Files that change meanwhile


REWRITE = """
import random, sys, time

with open(sys.argv[1], "r+b") as file:
    content = file.read()
    while True:
        time.sleep(random.random() / 50)  # whole for as long as it takes to be read
        file.truncate(random.randrange(len(content)))
        file.seek(0)
        file.write(content)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="an open file is not truncated there")
def test_a_file_that_is_truncated_and_rewritten_while_it_is_read(path):
    fastmlp.save(perceptron(2**20), path)
    rewriting = subprocess.Popen([sys.executable, "-c", REWRITE, path])
    try:
        said = run("for _ in range(200): print(attempt(fastmlp.load, path))", path)
    finally:
        rewriting.kill()
        rewriting.wait()
    assert len(said) == 200
    assert set(said) <= {"done", "refused"}


def test_a_file_that_ends_earlier_than_its_size_said(path, monkeypatch):
    fastmlp.save(perceptron(), path)
    size = path.stat().st_size
    os.truncate(path, size - 1)
    monkeypatch.setattr("fastmlp.persistence.size_of", lambda file: size)
    with pytest.raises(ValueError, match="ends too early"):
        fastmlp.load(path)
