"""The same weights as ever: what training made of fixed seeds, recorded once.

Run this file to record anew, where results are meant to change:
``python tests/train/test_recorded_bits.py``.
"""

import hashlib
import json
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy
from threadpoolctl import threadpool_info

import fastmlp
from fastmlp import Dense, Dropout, MLPClassifier, MLPRegressor, Network, Perceptron, _core

RECORDS = Path(__file__).with_name("recorded_bits.json")
SOLVERS = ("sgd", "adam", "adamw", "nadam", "rmsprop", "adagrad", "lbfgs")
RULES = ("invscaling", "adaptive", "cosine", "one_cycle", "exponential", "step")
# How far others may be off who compute in another order: another compiler, or SciPy.
ROUNDING = {"float32": 2e-3, "float64": 1e-7}

# How a step is shared out: the sizes of the layers, the batch and the rows that lead there.
SHARINGS: dict[str, tuple[tuple[int, ...], int, int]] = {
    "chunks": ((20, 24), 150, 400),
    "rows": ((64, 80), 50, 120),
    "columns": ((400, 300), 16, 40),
}


def rows(n: int, kind: str = "classes") -> tuple[Any, Any]:
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 10)).round(3)
    targets = {
        "classes": lambda: rng.integers(0, 3, n),
        "sides": lambda: np.where(X[:, 0] > 0, "up", "down"),
        "labels": lambda: rng.integers(0, 2, (n, 4)),
        "number": lambda: X[:, 0] - 0.5 * X[:, 1] ** 2,
        "numbers": lambda: X[:, :3] * 2.0,
        "counts": lambda: rng.poisson(2.0, n).astype(float),
    }
    return X, targets[kind]()


def fitted(kind: type, targets: str, n: int = 120, **settings: Any) -> Any:
    X, y = rows(n, targets)
    defaults = {"hidden_layer_sizes": (16, 12), "max_iter": 3, "random_state": 5, "n_jobs": 2}
    return kind(**defaults | settings).fit(X, y)


def resumed(**settings: Any) -> Any:
    X, y = rows(90)
    model = MLPClassifier((12,), random_state=1, **settings)
    for first in (0, 30, 60):
        model.partial_fit(X[first : first + 30], y[first : first + 30], classes=[0, 1, 2])
    return model


def warm() -> Any:
    X, y = rows(90, "number")
    model = MLPRegressor(
        hidden_layer_sizes=(12,), random_state=1, warm_start=True, early_stopping=True, max_iter=2
    )
    return model.fit(X, y).set_params(max_iter=3).fit(X, y)


def validated() -> Any:
    X, y = rows(90)
    weight = np.linspace(0.5, 2.0, 60)
    model = MLPClassifier((12,), random_state=1, max_iter=4, scoring="f1_macro")
    return model.fit(X[:60], y[:60], weight, X_val=X[60:], y_val=y[60:])


def sparse() -> Any:
    X, y = rows(90)
    X = scipy.sparse.csr_array(np.where(np.abs(X) > 1, X, 0.0))
    return MLPClassifier((12,), random_state=1, max_iter=3, class_weight="balanced").fit(X, y)


def layers(dtype: str) -> Network:
    X, y = rows(90)
    network = Network(
        [Dense(14, "gelu", l1=1e-4), Dropout(0.2), Dense(9, "prelu", l2=1e-3), Dense(3, "softmax")],
        10,
        random_state=2,
        dtype=dtype,
    )
    for _ in range(2):
        network.fit(X, y, loss="cross_entropy", epochs=2, batch_size=32, clip_norm=0.5)
    return network


def cases() -> dict[str, Callable[[], Any]]:
    """What is trained, by name."""

    def case(kind: type, targets: str, n: int = 120, **settings: Any) -> Callable[[], Any]:
        return lambda: fitted(kind, targets, n, **settings)

    every: dict[str, Callable[[], Any]] = {}
    for dtype in ("float32", "float64"):
        for sharing, (hidden, batch, n) in SHARINGS.items():
            for solver in SOLVERS:
                every[f"{solver} by {sharing}, {dtype}"] = case(
                    MLPClassifier,
                    "classes",
                    n,
                    solver=solver,
                    hidden_layer_sizes=hidden,
                    batch_size=batch,
                    dtype=dtype,
                )
            every[f"everything by {sharing}, {dtype}"] = case(
                MLPRegressor,
                "numbers",
                n,
                hidden_layer_sizes=hidden,
                batch_size=batch,
                dtype=dtype,
                activation=["tanh", "prelu"],
                dropout=0.2,
                dropout_input=0.1,
                penalty="elasticnet",
                clip_norm=0.5,
                early_stopping=True,
                init="he_normal",
            )
        every[f"layers, {dtype}"] = lambda dtype=dtype: layers(dtype)
    for rule in RULES:
        every[f"{rule} rate"] = case(MLPClassifier, "sides", solver="sgd", learning_rate=rule)
    every["rate of one's own"] = case(MLPRegressor, "number", learning_rate=lambda epoch: 0.01)
    for loss in ("log_loss", "focal", "hinge"):
        for targets in ("classes", "sides", "labels"):
            every[f"{loss} of {targets}"] = case(MLPClassifier, targets, loss=loss)
    for loss in ("squared_error", "absolute_error", "huber(0.5)", "quantile(0.3)", "poisson"):
        every[loss] = case(MLPRegressor, "counts", loss=loss)
    every["label smoothing"] = case(MLPClassifier, "classes", label_smoothing=0.1)
    every["partial_fit"] = resumed
    every["partial_fit, early batches"] = lambda: resumed(batch_size=10, solver="sgd")
    every["warm start"] = warm
    every["validation set"] = validated
    every["sparse rows, class weights"] = sparse
    every["perceptron"] = lambda: Perceptron(max_iter=5, random_state=3).fit(*rows(90, "sides"))
    return every


CASES = cases()


def parameters(model: Any) -> list[Any]:
    if isinstance(model, Network):
        return [array for arrays in model.params for array in arrays]
    if isinstance(model, Perceptron):
        return [model.coef_, model.intercept_]
    return [*model.coefs_, *model.intercepts_, *model.slopes_, np.array(model.loss_curve_)]


def record(name: str) -> dict[str, Any]:
    """Train, and return a digest of all bits, and two numbers for those that round otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arrays = parameters(CASES[name]())
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
    flat = np.concatenate([np.ravel(array) for array in arrays]).astype(np.float64)
    return {"sha256": digest[:16], "norm": float(np.linalg.norm(flat)), "sum": float(flat.sum())}


def made_with() -> dict[str, str]:
    """What decides the order of operations."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    blas = {f"{pool['internal_api']} {pool['architecture']}" for pool in pools}
    return {
        "compiler": _core.__compiler__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "blas": ", ".join(sorted(blas)),  # whose products 'lbfgs' steps by
    }


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    return json.loads(RECORDS.read_text())


@pytest.mark.usefixtures("use_target")
def test_there_is_a_record_of_every_case(target, recorded):
    assert recorded[target].keys() == CASES.keys()


@pytest.mark.usefixtures("use_target")
@pytest.mark.parametrize("name", CASES)
def test_training_gives_what_it_gave(target, name, recorded):
    before, now = recorded[target][name], record(name)
    if recorded["made_with"] == made_with():
        assert now == before
    rounding = ROUNDING["float64" if "float64" in name else "float32"]
    scale = before["norm"]
    assert abs(now["norm"] - before["norm"]) <= rounding * scale
    assert abs(now["sum"] - before["sum"]) <= 10 * rounding * scale


def main() -> None:
    """Record all cases on all targets that this machine has."""
    records: dict[str, Any] = {"made_with": made_with()}
    for row in _core.catalog()["targets"]:
        if not row["available"]:
            sys.exit(f"This machine has no target {row['name']}: record on one that has all.")
        fastmlp.set_target(row["name"])
        records[row["name"]] = {name: record(name) for name in CASES}
    lines = re.sub(r"\n   +", " ", json.dumps(records, indent=1)).replace(" }", "}")
    RECORDS.write_text(lines + "\n")


if __name__ == "__main__":
    main()
