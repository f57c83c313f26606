"""The perceptron separates two and three classes; XOR takes a hidden layer of two or three neurons.

python examples/lecture/perceptron_and_xor.py [output folder]
"""

import sys
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.inspection import DecisionBoundaryDisplay

from fastmlp import McCullochPitts, MLPClassifier, Perceptron


def blobs(rng, centers, n, spread):
    """Points spread evenly around centers, and the number of each one's center."""
    label = rng.integers(0, len(centers), n)
    return np.array(centers)[label] + rng.uniform(-spread, spread, (n, 2)), label


def draw(ax, model, x, y, title):
    """Show the samples on the classes that the model gives to every point of the plane."""
    DecisionBoundaryDisplay.from_estimator(
        model, x, response_method="predict", ax=ax, alpha=0.3, grid_resolution=200
    )
    for label, marker in zip(np.unique(y), "osD", strict=False):
        ax.scatter(*x[y == label].T, s=14, marker=marker, label=f"class {label}")
    ax.set(title=title, xlabel="$x_1$", ylabel="$x_2$")
    ax.legend(loc="upper left", fontsize=8)


def best_neuron_of_a_grid():
    """The largest number of the four XOR pairs that any neuron of a grid gets right."""
    pairs, xor = np.array(list(product((0, 1), repeat=2))), np.array([0, 1, 1, 0])
    grid = np.arange(-2, 2.5, 0.5)
    neurons = [McCullochPitts([w1, w2], w0) for w1, w2, w0 in product(grid, repeat=3)]
    right = max(int((neuron.predict(pairs) == xor).sum()) for neuron in neurons)
    print(f"XOR: the best of {len(neurons)} neurons gets {right} of 4 pairs right")


def best_of_seeds(hidden, activation, x, y):
    """Descent may end in a local minimum: the best of ten starts."""
    models = [
        MLPClassifier(hidden, activation, solver="lbfgs", alpha=1e-3, random_state=seed).fit(x, y)
        for seed in range(10)
    ]
    perfect = sum(model.score(x, y) == 1 for model in models)
    print(f"XOR by 2-{hidden[0]}-1: {perfect} of 10 starts learn it")
    return min(models, key=lambda model: model.loss_)


def main(folder):
    rng = np.random.default_rng(0)
    figure, axes = plt.subplots(2, 2, figsize=(9, 8), layout="constrained")

    x, y = blobs(rng, [[-1, -1], [1, 1]], 100, 0.9)
    model = Perceptron(random_state=0).fit(x, y)
    print("perceptron, two classes: mistakes of each epoch", model.mistakes_)
    draw(axes[0, 0], model, x, y, "Perceptron: the separable case")

    x, y = blobs(rng, [[0, 2], [2, -1], [-2, -1]], 150, 0.8)
    model = Perceptron(random_state=0).fit(x, y)
    print("perceptron, three outputs: mistakes of each epoch", model.mistakes_)
    draw(axes[0, 1], model, x, y, "Perceptron: an output for each class")

    best_neuron_of_a_grid()
    x, corner = blobs(rng, list(product((-1, 1), repeat=2)), 200, 0.45)
    y = np.isin(corner, (1, 2)).astype(int)
    for ax, (hidden, name) in zip(axes[1], (((2,), "tanh"), ((3,), "relu")), strict=True):
        draw(ax, best_of_seeds(hidden, name, x, y), x, y, f"XOR by 2-{hidden[0]}-1, {name}")

    figure.savefig(Path(folder) / "perceptron_and_xor.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
