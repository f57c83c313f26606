"""Are the answers the same, and how much sooner? `python benchmarks/digits_seeds.py`.

The digits of scikit-learn, split once, fitted by both libraries' MLPClassifier at its defaults for
ten seeds in turns. scikit-learn gets the faster of one BLAS thread and all, found on the first
seed. Prints held-out accuracy, epochs and the ratio of the fits' times.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import sklearn.neural_network
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

import fastmlp

SEEDS = range(10)
MODULES = {"fastmlp": fastmlp, "scikit-learn": sklearn.neural_network}


def fit(library: str, seed: int, threads: int | None) -> tuple[float, float, int]:
    """Return held-out accuracy, seconds and epochs of one fit."""
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x / 16, y, random_state=0, stratify=y)
    model = MODULES[library].MLPClassifier(random_state=seed)
    with threadpool_limits(threads):
        start = time.perf_counter()
        model.fit(x, y)
        seconds = time.perf_counter() - start
    return model.score(x_test, y_test), seconds, model.n_iter_


def main() -> None:
    """Fit, and print a row per library."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    threads: dict[str, int | None] = {"fastmlp": None}
    threads["scikit-learn"] = min((1, None), key=lambda n: fit("scikit-learn", 0, n)[1])
    results = {name: [] for name in MODULES}
    for seed in SEEDS:
        for name, runs in results.items():
            runs.append(fit(name, seed, threads[name]))
    for name, runs in results.items():
        score, seconds, epochs = np.array(runs).T
        error = score.std(ddof=1) / len(runs) ** 0.5
        print(
            f"{name:<13} accuracy {score.mean():.4f} ± {error:.4f} (standard error)  "
            f"median fit {np.median(seconds):.3f} s  epochs {epochs.mean():.0f}"
        )
    ours, theirs = (np.array(results[name]) for name in MODULES)
    ratios = theirs[:, 1] / ours[:, 1]
    print(
        f"scikit-learn's time / fastmlp's: median {np.median(ratios):.1f}, from {ratios.min():.1f} "
        f"to {ratios.max():.1f}; accuracies differ by {100 * (ours - theirs)[:, 0].mean():+.2f} "
        "points in the mean"
    )


if __name__ == "__main__":
    main()
