"""Activations and their slopes, softmax, and what a network is without a non-linear one.

python examples/lecture/activations.py [output folder]
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import make_moons
from sklearn.inspection import DecisionBoundaryDisplay

from fastmlp import MLPClassifier, graph

SHOWN = ["logistic", "tanh", "relu", "leaky_relu", "elu", "silu"]


def draw_activations(axes):
    z = graph.variable(np.linspace(-4, 4, 401))
    for ax, name in zip(axes.flat, SHOWN, strict=True):
        g = getattr(graph, name)(z)
        g.forward().backward(np.ones(401))
        ax.plot(z.value, g.value, label="$g(z)$")
        ax.plot(z.value, z.grad, "--", label="$g'(z)$")
        ax.axhline(0, color="0.8", zorder=0)
        ax.set(title=name, xlabel="$z$", ylabel="value and slope")
        ax.legend(loc="upper left", fontsize=8)


def check_slopes():
    """The slopes of the slides, from the values alone."""
    z = graph.variable(np.array([-2.0, -0.5, 0.5, 2.0]))
    for name, slope in {
        "logistic": lambda g: g * (1 - g),
        "tanh": lambda g: 1 - g**2,
        "relu": lambda g: (g > 0).astype(float),
    }.items():
        g = getattr(graph, name)(z)
        g.forward().backward(np.ones(4))
        print(
            f"{name:9} g' = {z.grad.round(4)}, formula - g' = {abs(slope(g.value) - z.grad).max()}"
        )


def draw_softmax(ax):
    """Raw outputs, divided by their sum (which fails: signs), and put through softmax."""
    z = np.array([2.0, 1.0, 0.1, -1.5])
    y = graph.softmax(graph.constant(z)).forward().value
    print(f"softmax of {z}: {y.round(4)}, sum {y.sum():.6f}; z / sum(z): {(z / z.sum()).round(4)}")
    for shift, (values, label) in enumerate(
        [(z, "raw outputs $z$"), (z / z.sum(), r"$z\,/\,\sum z$"), (y, "softmax$(z)$")]
    ):
        ax.bar(np.arange(4) + 0.27 * (shift - 1), values, width=0.25, label=label)
    ax.axhline(0, color="k", linewidth=0.8)
    ax.set(
        title="softmax: always positive, sums to 1", xlabel="class", ylabel="value", xticks=range(4)
    )
    ax.legend(fontsize=8)


def draw_boundary(ax, activation):
    x, y = make_moons(200, noise=0.15, random_state=0)
    model = MLPClassifier((16, 16), activation, solver="lbfgs", alpha=0.01, random_state=0)
    score = model.fit(x, y).score(x, y)
    print(f"two hidden layers of {activation!r}: accuracy {score:.3f}")
    DecisionBoundaryDisplay.from_estimator(
        model, x, response_method="predict", ax=ax, alpha=0.25, grid_resolution=300
    )
    for label, colour in enumerate(("tab:green", "tab:red")):
        ax.scatter(*x[y == label].T, s=12, color=colour, label=f"class {label}")
    ax.set(title=f"hidden layers: {activation}", xlabel="$x_1$", ylabel="$x_2$")
    ax.legend(loc="lower left", fontsize=8)


def main(folder):
    figure, axes = plt.subplots(3, 3, figsize=(11, 10), layout="constrained")
    draw_activations(axes[:2])
    check_slopes()
    draw_softmax(axes[2, 0])
    draw_boundary(axes[2, 1], "identity")
    draw_boundary(axes[2, 2], "relu")
    figure.savefig(Path(folder) / "activations.png", dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
