"""Files of models to do harm to: a model that is as large as asked for, files taken apart and put
together by hand, and programs that read and write them in a process of their own."""

import json
import subprocess
import sys

import numpy as np
import safetensors.numpy
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import fastmlp
from fastmlp import Perceptron
from fastmlp.persistence import _digest


def perceptron(n_features=2):
    """A fitted model whose weights, ones, are as many as asked for."""
    model = Perceptron(max_iter=5, random_state=0).fit([[0.0], [1.0]], [0, 1])
    model.coef_, model.n_features_in_ = np.ones((1, n_features)), n_features
    return model


def split(content):
    """The header as a dict, and the bytes of the arrays."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def frame(header, data=b""):
    """The content of a file; the header is a dict or, where it is to be malformed, bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


PROGRAM = """
import os, random, sys, threading
import numpy as np
import fastmlp
from fastmlp import Dense, Network, Perceptron

def limit(room):
    import resource
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + room, most))

def attempt(function, *arguments):
    try:
        function(*arguments)
    except MemoryError:
        return "no-memory"
    except ValueError:
        return "refused"
    return "done"

path = sys.argv[1]
"""


def run(code, path):
    """The words that a program prints, which must end by itself and without an error."""
    command = [sys.executable, "-c", PROGRAM + code, path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


FUZZ = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def load_or_refuse(file):
    """What is in a file, or None where loading raises a ValueError that names it."""
    try:
        return fastmlp.load(file)
    except ValueError as error:
        message = str(error)
    assert message.startswith(f"{str(file)!r} can't be loaded: ")
    return None


def forge(stored, change):
    """Write a file with another header and other arrays, and a checksum that fits."""
    file, _ = stored
    arrays = safetensors.numpy.load_file(file)
    with safetensors.safe_open(file, "numpy") as content:
        header = json.loads(content.metadata()["fastmlp"])
    header = change(header, arrays) or header
    if isinstance(header, dict):
        header.pop("sha256", None)
        header["sha256"] = _digest(header, arrays)
    forged = file.with_name("forged")
    metadata = {"fastmlp": header if isinstance(header, str) else json.dumps(header)}
    safetensors.numpy.save_file(arrays, forged, metadata)
    return forged


def put(*place):
    """A change of the header: the value that comes last, at the place before it."""
    *path, last, value = place

    def change(header, arrays):
        for key in path:
            header = header[key]
        header[last] = value

    return change


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["relu", "float64", "loss", "MLPRegressor", "Perceptron", "Network"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$tuple", "$dict", "$float", "units", "x"]), inner)
    ),
    max_leaves=5,
)


def places(value, path=()):
    """All the places inside a value of JSON."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))
