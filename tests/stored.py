"""Files of models to do harm to: a model that is as large as asked for, files taken apart and put
together by hand, and programs that read and write them in a process of their own."""

import json
import subprocess
import sys

import numpy as np

from fastmlp import Perceptron


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
