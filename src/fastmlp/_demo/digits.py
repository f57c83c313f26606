"""Handwritten digits: one network, with scikit-learn's own beside it at the same settings."""

import argparse
import warnings
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from threadpoolctl import threadpool_limits

from fastmlp import MLPClassifier, __version__, get_target
from fastmlp._demo.results import HELD_OUT, Result, print_results, seconds_of

Parts = list[NDArray[Any]]  # x_train, x_test, y_train, y_test


def run_digits(options: argparse.Namespace) -> None:
    """Train on scikit-learn's bundled images, 8x8 pixels scaled to 0..1."""
    x, y = load_digits(return_X_y=True)
    parts: Parts = train_test_split(
        (x / 16).astype(np.float32), y, test_size=HELD_OUT, stratify=y, random_state=options.seed
    )
    hidden, epochs = options.hidden or [100], options.epochs or 200
    settings = {
        "hidden_layer_sizes": tuple(hidden),
        "max_iter": epochs,
        "random_state": options.seed,
    }
    print(f"digits: {len(parts[0])} rows to train on, {len(parts[1])} held out, 10 classes")
    print(f"network: hidden layers {hidden}, at most {epochs} epochs, same settings")
    print(f"fastmlp kernels: {get_target()}", flush=True)
    ours = MLPClassifier(**settings, n_jobs=options.threads, verbose=1)
    results = [_fit(f"fastmlp {__version__}", ours, parts)]
    if options.compare:
        with threadpool_limits(options.threads):
            theirs = _fit(
                f"scikit-learn {sklearn.__version__}", SklearnClassifier(**settings), parts
            )
        results.append(theirs)
    x_train, x_test, y_train, y_test = parts
    guess = DummyClassifier().fit(x_train, y_train).score(x_test, y_test)
    print_results(
        ["accuracy", "epochs", "seconds", "ms/epoch"],
        [".4f", ".0f", ".3f", ".3f"],
        [*results, Result("most frequent class", [guess])],
    )
    print("\naccuracy is measured on the rows held out.")
    if options.compare:
        ratio = results[1].numbers[-1] / results[0].numbers[-1]
        print(f"Time per epoch in this run, scikit-learn / fastmlp: {ratio:.1f}")


def _fit(name: str, estimator: Any, parts: Parts) -> Result:
    x_train, x_test, y_train, y_test = parts
    with warnings.catch_warnings():
        # The epochs may run out: the table says how many there were.
        warnings.simplefilter("ignore", ConvergenceWarning)
        seconds = seconds_of(lambda: estimator.fit(x_train, y_train))
    epochs = estimator.n_iter_
    score = float(estimator.score(x_test, y_test))
    return Result(name, [score, epochs, seconds, 1e3 * seconds / epochs])
