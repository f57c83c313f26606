"""Penalties on the weights: L1 and elastic net make many of them zero, L2 makes all of them small.

python examples/lecture/regularisation.py [output folder]
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.exceptions import ConvergenceWarning

from fastmlp import MLPRegressor

PENALTIES = {"none": None, "L2": "l2", "L1": "l1", "elastic net": "elasticnet"}
STRENGTHS = np.geomspace(0.1, 100, 8)


def data():
    """Twenty features, of which the first four matter."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 20))
    return x, x[:, :4] @ [2.0, -1.5, 1.0, 0.5] + 0.5 * rng.normal(size=120)


def fit(x, y, hidden, penalty, alpha):
    return MLPRegressor(
        hidden_layer_sizes=hidden,
        penalty=penalty,
        alpha=alpha,
        l1_ratio=0.5,
        solver="sgd",
        momentum=0.0,
        learning_rate_init=0.02,
        batch_size="full",
        max_iter=400,
        n_iter_no_change=np.inf,
        random_state=0,
        dtype="float64",
        n_jobs=1,
    ).fit(x, y)


def draw_paths(ax, name, x, y):
    """The weights of a linear model against the strength of the penalty."""
    paths = [fit(x, y, (), PENALTIES[name], alpha).coefs_[0][:, 0] for alpha in STRENGTHS]
    for j, path in enumerate(np.transpose(paths)):
        label = {0: "inputs that matter", 4: "others"}.get(j)
        ax.semilogx(STRENGTHS, path, color="tab:blue" if j < 4 else "0.75", label=label)
    ax.set(title=f"{name}: linear model", xlabel=r"strength $\lambda$ (alpha)", ylabel="weights")
    ax.legend(loc="lower left", ncols=2, fontsize=8)


def draw_histogram(ax, name, x, y):
    """The weights from the inputs of a network with a hidden layer."""
    model = fit(x, y, (30,), PENALTIES[name], 2.0)
    w = model.coefs_[0].ravel()
    zeros, small = int((w == 0).sum()), int((np.abs(w) < 1e-3).sum())
    print(
        f"{name:12} of {w.size} weights {zeros:3} exactly 0, {small:3} below 0.001; "
        f"sum |w| {np.abs(w).sum():7.2f}, sum w^2 {(w**2).sum():6.2f}"
    )
    ax.hist(w, bins=np.linspace(-0.8, 0.8, 65), label=f"exactly 0: {zeros} of {w.size}")
    ax.set(title=f"{name}: 20-30-1", xlabel="weight", ylabel="count", yscale="log", ylim=(0.7, 900))
    ax.legend(loc="upper left", fontsize=8)


def main(folder):
    x, y = data()
    figure, axes = plt.subplots(2, 4, figsize=(15, 7), layout="constrained")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for (top, bottom), name in zip(axes.T, PENALTIES, strict=True):
            draw_paths(top, name, x, y)
            draw_histogram(bottom, name, x, y)
            top.set_ylim(-2.6, 2.5)
    figure.savefig(Path(folder) / "regularisation.png", dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
