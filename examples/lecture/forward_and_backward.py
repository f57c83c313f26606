"""One pass forward and one backward through a 2-3-2 network, every number beside its formula.

python examples/lecture/forward_and_backward.py [output folder]
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from fastmlp import Dense, Network

x = np.array([[0.5, -1.0]])
t = np.array([[1.0, 0.0]])
W1, b1 = np.array([[0.1, -0.4, 0.8], [0.7, 0.3, -0.2]]), np.array([0.1, 0.0, -0.1])
W2, b2 = np.array([[0.5, -0.5], [-0.3, 0.9], [0.2, 0.4]]), np.array([0.2, -0.2])


def logistic(z):
    return 1 / (1 + np.exp(-z))


def by_the_formulas():
    """Forward: z = b + W^T a, a = s(z). Backward: the deltas dL/dz, then the gradients."""
    z1 = b1 + x @ W1
    a1 = logistic(z1)
    z2 = b2 + a1 @ W2
    a2 = np.exp(z2) / np.exp(z2).sum()
    delta2 = a2 - t  # of the cross entropy behind softmax
    delta1 = delta2 @ W2.T * a1 * (1 - a1)
    return {
        "z[1]": z1,
        "a[1]": a1,
        "z[2]": z2,
        "a[2]": a2,
        "delta[2]": delta2,
        "delta[1]": delta1,
        "dL/dW[2]": a1.T @ delta2,
        "dL/db[2]": delta2[0],
        "dL/dW[1]": x.T @ delta1,
        "dL/db[1]": delta1[0],
    }, -(t * np.log(a2)).sum()


def by_the_network(net):
    (z1, z2), (a1, a2) = net.forward(x)
    loss, ((dw1, db1), (dw2, db2)) = net.loss_and_gradients(x, t, "cross_entropy")
    # Of a single sample, the gradient by a bias is the delta of its neuron.
    numbers = (z1, a1, z2, a2, db2[None], db1[None], dw2, db2, dw1, db1)
    return dict(zip(by_the_formulas()[0], numbers, strict=True)), loss


def draw(ax, numbers):
    """The network as circles, with the weights on the lines and each neuron's a and delta."""
    columns = [x[0], numbers["a[1]"][0], numbers["a[2]"][0]]
    deltas = [None, numbers["delta[1]"][0], numbers["delta[2]"][0]]
    place = [
        [(3.2 * i, (len(a) - 1) - 2.0 * j) for j in range(len(a))] for i, a in enumerate(columns)
    ]
    for left, right, w in zip(place, place[1:], (W1, W2), strict=False):
        for (start, end), weight in zip(
            ((p, q) for p in left for q in right), w.ravel(), strict=True
        ):
            ax.plot(*zip(start, end, strict=True), color="0.7", linewidth=1, zorder=1)
            at = np.array(start) * 0.76 + np.array(end) * 0.24
            ax.text(*at, f"{weight:g}", fontsize=8, ha="center", va="center", backgroundcolor="w")
    for points, values, gradients in zip(place, columns, deltas, strict=True):
        for j, (point, value) in enumerate(zip(points, values, strict=True)):
            ax.scatter(*point, s=2600, facecolor="white", edgecolor="0.3", zorder=2)
            text = {"ha": "center", "fontsize": 9, "zorder": 3}
            ax.text(*point, f"{value:.3f}", color="tab:green", va="bottom", **text)
            if gradients is not None:
                ax.text(*point, f"{gradients[j]:.3f}", color="tab:red", va="top", **text)
    for (px, _), label in zip((c[0] for c in place), ("inputs", "hidden", "outputs"), strict=True):
        ax.text(px, 2.9, label, ha="center")
    ax.set(
        title="Forward: $a$ (green); backward: $\\delta = dL/dz$ (red)",
        xlim=(-0.7, 7.1),
        ylim=(-2.7, 3.2),
    )
    ax.set_aspect("equal")
    ax.set_axis_off()


def main(folder):
    net = Network([Dense(3, "logistic"), Dense(2, "softmax")], n_features=2, dtype="float64")
    net.params = [(W1, b1), (W2, b2)]
    (formulas, cost), (ours, loss) = by_the_formulas(), by_the_network(net)
    print(f"loss      network {loss:.15f}\n          formula {cost:.15f}")
    for name, value in formulas.items():
        error = np.abs(ours[name] - value).max()
        print(f"{name:9} {np.array2string(ours[name], precision=4, prefix=' ' * 10)}")
        print(f"{'':9} largest difference from the formula: {error:.1e}")

    figure, ax = plt.subplots(figsize=(9, 5.5), layout="constrained")
    draw(ax, ours)
    figure.savefig(Path(folder) / "forward_and_backward.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
