"""The neuron of McCulloch and Pitts computes AND, OR and NOT, and is a hyperplane in its inputs.

python examples/lecture/neurons.py [output folder]
"""

import sys
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from fastmlp import Dense, McCullochPitts, Network


def print_truth_table(gate, neuron, inputs):
    print(f"{gate.upper()}: weights {neuron.weights}, threshold {neuron.threshold}")
    for x, y in zip(inputs, neuron.predict(inputs), strict=True):
        print("  ", *x, "->", y)


def draw_gate(ax, gate, neuron, inputs):
    """Show where the neuron fires, and its hyperplane: a line, or a point for one input."""
    fires = neuron.predict(inputs) == 1
    points = np.column_stack([inputs, np.zeros(len(inputs))])[:, :2]
    for chosen, marker, label in ((fires, "o", "1: fires"), (~fires, "X", "0: silent")):
        ax.scatter(*points[chosen].T, s=90, marker=marker, zorder=3, label=label)
    line = np.array([-0.5, 1.5])
    if len(neuron.weights) == 2:
        w1, w2 = neuron.weights
        ax.plot(line, (neuron.threshold - w1 * line) / w2, "k--", label="at the threshold")
        ax.set(ylabel="$x_2$", yticks=(0, 1))
    else:
        ax.axvline(
            neuron.threshold / neuron.weights[0], color="k", ls="--", label="at the threshold"
        )
        ax.set_yticks([])
    ax.set(title=gate.upper(), xlabel="$x_1$", xticks=(0, 1), xlim=line, ylim=line)


def neuron_with_bias():
    """y = g(w0 + x @ w): a network of one neuron beside the formula."""
    w, w0 = np.array([0.5, -1.0, 2.0]), 0.25
    x = np.array([[1.0, 2.0, 0.5]])
    net = Network([Dense(1, "logistic")], n_features=3, dtype="float64")
    net.params = [(w[:, None], [w0])]
    by_hand = 1 / (1 + np.exp(-(w0 + x @ w)))
    print(f"g(w0 + x w): network {net(x)[0, 0]:.12f}, formula {by_hand[0]:.12f}")


def main(folder):
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.6), layout="constrained")
    for ax, gate in zip(axes, ("and", "or", "not"), strict=True):
        neuron = McCullochPitts.logic(gate)
        inputs = np.array(list(product((0, 1), repeat=len(neuron.weights))))
        print_truth_table(gate, neuron, inputs)
        draw_gate(ax, gate, neuron, inputs)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    neuron_with_bias()
    figure.savefig(Path(folder) / "neurons.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
