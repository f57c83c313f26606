"""Where no thread can be created there are fewer, with the same bits; and the package leaves the
processors of the process alone."""

import os
import subprocess
import sys

import pytest

COMMON = """
import os, resource, sys, threading, warnings
import numpy as np
from fastmlp import Dense, MLPClassifier, MLPRegressor, Network, graph
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.normal(size=(600, 64)).astype("float32")
settings = {"hidden_layer_sizes": (128, 64), "max_iter": 2, "random_state": 0}

def results(n_jobs):
    model = MLPRegressor(**settings, n_jobs=n_jobs).fit(X, X[:, 0])
    lbfgs = MLPClassifier(**settings, solver="lbfgs", n_jobs=n_jobs).fit(X, X[:, 0] > 0)
    net = Network([Dense(256, "relu"), Dense(1)], 64, random_state=0, n_jobs=n_jobs)
    net.fit(X, X[:, :1], loss="mse", epochs=1)
    f = graph.sum(graph.matmul(graph.variable(X), rng_matrix)).forward(n_jobs=n_jobs)
    return [model.predict(X), lbfgs.predict_proba(X), net(X), np.float64(f.value)]

rng_matrix = rng.normal(size=(64, 500)).astype("float32")
one = results(1)
"""
THE_SAME = """
try:
    threading.Thread(target=int).start()
    sys.exit(77)
except RuntimeError:
    pass
for n_jobs in (2, 4, 200, None):
    for a, b in zip(one, results(n_jobs), strict=True):
        assert np.array_equal(a, b)
print("the same")
"""
NO_THREADS = """
os.setgid(65534)
os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
"""
# Room for the work, but not for the stack of a thread, which is as large as the limit of the
# stack was when the process began.
LARGE_STACKS = """
import os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
resource.setrlimit(resource.RLIMIT_STACK, (2**30, hard))
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
NO_MEMORY = """
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29,) * 2)
"""


def run(code, *arguments, **environment):
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)} | dict(os.environ) | environment
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )


linux = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")


@linux
@pytest.mark.skipif(
    getattr(os, "getuid", int)() != 0, reason="another user can be taken by root only"
)
def test_without_threads_the_bits_are_the_same():
    done = run(COMMON + NO_THREADS + THE_SAME)
    assert (done.stdout, done.returncode) == ("the same\n", 0), done.stderr


@linux
def test_without_memory_for_threads_the_bits_are_the_same():
    done = run(LARGE_STACKS, COMMON + NO_MEMORY + THE_SAME)
    assert (done.stdout, done.returncode) == ("the same\n", 0), done.stderr


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
@pytest.mark.parametrize(
    "variable", ["OMP_PROC_BIND=true", "OMP_PLACES=cores", "OMP_PROC_BIND=close"]
)
def test_importing_leaves_the_affinity_alone(variable):
    name, value = variable.split("=")
    code = (
        "import os; before = os.sched_getaffinity(0); import fastmlp; "
        "from fastmlp import MLPRegressor; import numpy as np; X = np.ones((500, 64)); "
        "MLPRegressor(max_iter=1, n_jobs=2).partial_fit(X, X[:, 0]).predict(X); "
        "print(os.sched_getaffinity(0) == before)"
    )
    done = run(code, **{name: value})
    assert done.stdout == "True\n", done.stderr
