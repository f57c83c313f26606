"""Batch, stochastic and mini-batch gradient descent on the same problem, from the same start.

python examples/lecture/gradient_descent.py [output folder]
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from fastmlp import Dense, Network

EPOCHS, RATE = 10, 0.1
KINDS = {"batch": 64, "stochastic": 1, "mini-batch of 8": 8}


def data():
    """A noisy line: two parameters, so that the cost can be drawn as a landscape."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(64, 1))
    return x, 1.5 * x - 0.5 + 0.8 * rng.normal(size=(64, 1))


def descend(x, t, size):
    """Take one step for each batch; return the parameters and the cost behind every step."""
    net = Network([Dense(1)], n_features=1, dtype="float64")
    net.params = [([[-1.5]], [1.5])]
    path, costs = [(-1.5, 1.5)], [net.loss_and_gradients(x, t, "mse")[0]]
    rng = np.random.default_rng(0)
    for _ in range(EPOCHS):
        for rows in np.split(rng.permutation(len(x)), len(x) // size):
            # One iteration: theta <- theta - eta g, with g the mean gradient over the batch.
            net.fit(
                x[rows],
                t[rows],
                loss="mse",
                optimizer="sgd",
                learning_rate=RATE,
                batch_size=size,
                epochs=1,
            )
            ((w, b),) = net.params
            path.append((w[0, 0], b[0]))
            costs.append(net.loss_and_gradients(x, t, "mse")[0])
    return np.array(path), np.array(costs)


def main(folder):
    x, t = data()
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    w, b = np.meshgrid(np.linspace(-2, 3.5, 80), np.linspace(-2, 2, 80))
    cost = np.mean((w[..., None] * x[:, 0] + b[..., None] - t[:, 0]) ** 2, axis=-1)
    right.contour(w, b, cost, levels=20, colors="0.8", linewidths=0.8)
    for order, (name, size) in enumerate(KINDS.items()):
        path, costs = descend(x, t, size)
        rises = int((np.diff(costs) > 0).sum())
        print(
            f"{name:16} {len(costs) - 1:4} iterations in {EPOCHS} epochs, the cost rises in "
            f"{rises:3} of them; at the end it is {costs[-1]:.4f}"
        )
        epochs = np.linspace(0, EPOCHS, len(costs))
        marker = "o" if size == 64 else ""
        style = {"label": name, "marker": marker, "markersize": 4, "linewidth": 1.2}
        left.plot(epochs, costs, **style, zorder=3 - (order == 1))
        right.plot(*path.T, **style, zorder=3 - (order == 1))
    left.set(title="Cost over all samples behind every iteration", xlabel="epoch", ylabel="cost")
    left.set_yscale("log")
    right.set(title="Path on the landscape of the cost", xlabel="weight $w$", ylabel="bias $b$")
    left.legend()
    right.legend(loc="upper right")
    figure.savefig(Path(folder) / "gradient_descent.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
