"""f = x^2 y / z as a computation graph, forward and backward; and a network only a graph can be.

python examples/lecture/computation_graph.py [output folder]
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from fastmlp import graph


def example():
    """The example of the slides at x = 3, y = 4, z = 2."""
    x, y, z = (graph.variable(value, name) for value, name in ((3, "x"), (4, "y"), (2, "z")))
    v = x**2
    u = v * y
    f = u / z
    v.name, u.name, f.name = "v", "u", "f"
    f.forward().backward()
    print(graph.describe(f))
    print(f"f = {f.value:g}; df/dx = {x.grad:g}, df/dy = {y.grad:g}, df/dz = {z.grad:g}")
    return f


def two_inputs_and_a_skip_connection():
    """Two inputs meet in a hidden layer, and the output sees the first one past it, too."""
    rng = np.random.default_rng(0)
    x1, x2 = rng.normal(size=(200, 3)), rng.normal(size=(200, 2))
    t = 2 * x1[:, :1] + np.sin(2 * x1[:, 1:2] + x2[:, :1])

    def weights(rows, columns, name):
        return graph.variable(rng.normal(size=(rows, columns)) / np.sqrt(rows), name)

    variables = [
        weights(3, 16, "W1"),
        weights(2, 16, "W2"),
        graph.variable(np.zeros(16), "b"),
        weights(16, 1, "W3"),
        weights(3, 1, "skip"),
    ]
    w1, w2, b, w3, skip = variables
    first, second = graph.constant(x1, "input 1"), graph.constant(x2, "input 2")
    hidden = graph.tanh(graph.dense(first, w1, b) + second @ w2)
    target = graph.constant(t, "target")
    cost = graph.mse(hidden @ w3 + first @ skip, target)
    cost.forward().backward()
    return cost, variables


def train(cost, variables):
    """Go down the gradient; return the cost behind every iteration."""
    optimizer = graph.Optimizer(variables, "adam", learning_rate=0.02)
    curve = []
    for _ in range(500):
        cost.forward().backward()
        optimizer.step()
        curve.append(cost.value)
    print(
        f"two inputs and a skip connection: cost {curve[0]:.3f} at first, {curve[-1]:.4f} at last"
    )
    return curve


def main(folder):
    f = example()
    figure, ax = plt.subplots(figsize=(9, 2.8), layout="constrained")
    graph.draw(f, ax)
    ax.set_title("$f = x^2 y / z$: values above the lines, gradients below")
    figure.savefig(Path(folder) / "computation_graph.png", dpi=120)
    plt.close(figure)

    cost, variables = two_inputs_and_a_skip_connection()
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(14, 9), height_ratios=(1.6, 1), layout="constrained"
    )
    graph.draw(cost, top)
    top.set_title("Two inputs and a skip connection")
    bottom.semilogy(train(cost, variables), label="training")
    bottom.set(title="Its training", xlabel="iteration", ylabel="mean squared error")
    bottom.legend()
    figure.savefig(Path(folder) / "skip_connection.png", dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
