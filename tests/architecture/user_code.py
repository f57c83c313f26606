"""What a user might write, for mypy to read: `test_user_types` checks this file, nothing runs it.

The lines with `type: ignore` are mistakes. mypy complains of such a comment where there is nothing
to ignore, and so this file also says which mistakes the type hints find.
"""

from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import fastmlp
from fastmlp import (
    Activation,
    Dense,
    Dropout,
    LossCurveDisplay,
    McCullochPitts,
    MLPClassifier,
    MLPRegressor,
    Network,
    Perceptron,
    graph,
)
from fastmlp.callbacks import CSVLogger, EpochEnd, StopAt, TimeBudget

X: NDArray[np.float64] = np.zeros((20, 3))
y = np.arange(20) % 2


def classify() -> NDArray[Any]:
    """The estimators, made, fitted and asked."""
    model = MLPClassifier(
        (16, 8),
        activation=["relu", [("tanh", 4), ("elu(0.5)", 4)]],
        alpha=[0.1, 0.0, 0.1],
        dropout=[0.2, 0.0],
        batch_size="full",
        learning_rate=lambda epoch: 0.1 / (epoch + 1),
        class_weight={0: 1.0, 1: 2.0},
        random_state=0,
        n_jobs=1,
    )
    assert_type(model.fit(X, y, X_val=X, y_val=y), MLPClassifier)
    assert_type(model.partial_fit(X, y, classes=[0, 1]), MLPClassifier)
    assert_type(model.predict_proba(X), NDArray[Any])
    mean, std = model.predict_proba(X, dropout_samples=10, return_std=True)
    assert_type(std, NDArray[Any])
    assert_type(model.history_["loss"], list[float])
    assert_type(model.stopped_, str)
    assert_type(model.coefs_[0], NDArray[Any])
    zs, ys = model.forward(X)
    assert_type(zs + ys, list[NDArray[Any]])
    assert_type(mean, NDArray[Any])
    return model.fit(X, y).predict(X)


def regress() -> NDArray[Any]:
    """The same for numbers."""
    model = MLPRegressor("huber(1.5)", (16,), dropout=0.1, clip_norm=1.0).fit(X, y)
    mean, std = model.predict(X, dropout_samples=10, return_std=True)
    assert_type(mean, NDArray[Any])
    assert_type(std, NDArray[Any])
    return model.predict(X)


def watch(end: EpochEnd) -> bool:
    """A callback."""
    return end.epoch > 3 and (end.val_score or 0.0) > 0.9 and (end.val_loss or 1.0) < 0.5


def call_back() -> MLPRegressor:
    """Callbacks, and a scorer."""

    def score(estimator: MLPRegressor, X: NDArray[Any], y: NDArray[Any]) -> float:
        return -float(np.abs(estimator.predict(X) - y).max())

    callbacks = [watch, TimeBudget(10), StopAt(loss=0.1), CSVLogger(Path("log.csv"))]
    return MLPRegressor(callbacks=callbacks, scoring=score, early_stopping=True).fit(X, y)


def layers() -> list[float]:
    """The layer level."""
    net = Network(
        [Dense(4), Activation("relu"), Dropout(0.5, mode="classic"), Dense(1, "logistic", l2=0.1)],
        n_features=3,
        random_state=0,
    )
    loss, gradients = net.loss_and_gradients(X, y, loss="binary_cross_entropy")
    assert_type(loss, float)
    net.params = [(w - dw, b - db) for (w, b), (dw, db) in zip(net.params, gradients, strict=True)]
    assert_type(net(X), NDArray[Any])
    history = net.fit(
        X, y, loss="binary_cross_entropy", optimizer="sgd", validation_data=(X, y), momentum=0.9
    )
    return history["val_loss"]


def graphs() -> graph.Node:
    """The graph level."""
    x = graph.variable(3.0, "x")
    w = graph.variable(np.ones((3, 2)), dtype="float32")
    f = 2 * x**2 - x / 4 + graph.sum(graph.relu(graph.constant(X, dtype="float32") @ w))
    f.forward().backward()
    optimizer = graph.Optimizer([x], "adam", 0.1, beta_1=0.8)
    optimizer.step()
    print(graph.describe(f)[0].name)
    return f


def keep(path: Path) -> None:
    """Files, conversions and pictures."""
    model = MLPClassifier().fit(X, y)
    fastmlp.save(model, path)
    loaded: MLPClassifier = fastmlp.load(path)
    assert_type(loaded.classes_, NDArray[Any])
    fastmlp.to_onnx(model)
    assert_type(fastmlp.to_c(model), str)
    assert_type(fastmlp.from_sklearn(fastmlp.to_sklearn(model)), MLPClassifier | MLPRegressor)
    assert_type(LossCurveDisplay.from_estimator(model), LossCurveDisplay)


def neurons() -> NDArray[Any]:
    """The neurons of the beginning."""
    assert_type(McCullochPitts.logic("and"), McCullochPitts)
    return Perceptron(eta0=0.5).fit(X, y).predict(X)


def mistakes() -> None:
    """What the hints find."""
    MLPClassifier(hidden_layer_size=(8,))  # type: ignore[call-arg]
    MLPClassifier(dropout="half")  # type: ignore[arg-type]
    MLPRegressor((8,))  # type: ignore[arg-type]
    MLPRegressor(class_weight="balanced")  # type: ignore[call-arg]
    MLPClassifier().fit()  # type: ignore[call-arg]
    MLPClassifier().fit(X, y, validation_data=(X, y))  # type: ignore[call-arg]
    MLPClassifier().predict(X, return_std=True)  # type: ignore[call-arg]
    Network(["relu"], n_features=3)  # type: ignore[list-item]
    Dense("relu")  # type: ignore[arg-type]
    MLPClassifier(solver="sdg")  # type: ignore[arg-type]
    MLPRegressor(learning_rate="cosines", dtype="float16")  # type: ignore[arg-type]
    Network([Dense(1)], 2, dtype="auto")  # type: ignore[arg-type]
    TimeBudget("an hour")  # type: ignore[arg-type]
    graph.Optimizer(graph.variable(1.0))  # type: ignore[arg-type]
    fastmlp.save(Dense(3), "layer")  # type: ignore[arg-type]
