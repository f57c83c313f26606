"""Dropout: masks while training, their average at test time, exactly and by Monte Carlo.

python examples/lecture/dropout.py [output folder]
"""

import sys
import warnings
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.exceptions import ConvergenceWarning

from fastmlp import Dense, Dropout, MLPRegressor, Network, graph


def draw_masks(ax):
    """Eight forward passes of a layer of 24 neurons; a rate of 1/2 doubles what is kept."""
    layer = graph.dropout(graph.constant(np.ones(24)), 0.5, seed=0)
    masks = np.array([layer.forward().value for _ in range(8)])
    test = layer.forward(training=False).value
    print(f"training: values {np.unique(masks)}, share kept {(masks > 0).mean():.3f}")
    image = ax.imshow(np.vstack([masks, test]), cmap="Greys", vmin=0, vmax=2, aspect="auto")
    ax.axhline(7.5, color="tab:red")
    ax.set(title="Masks of eight passes; the last row is test time", xlabel="neuron")
    ax.set_yticks(range(9), [*map(str, range(1, 9)), "test"])
    ax.set_ylabel("forward pass")
    ax.figure.colorbar(image, ax=ax, label="factor on the neuron", ticks=(0, 1, 2))


def four_masks():
    """The example of two inputs: E_train[a] = 0.5 E_test[a], the keep probability."""
    x, w = np.array([[3.0, -5.0]]), [[0.75], [0.5]]
    plain = Network([Dense(1)], n_features=2)
    classic = Network([Dropout(0.5, mode="classic"), Dense(1)], n_features=2)
    plain.params = classic.params = [(w, [0.0])]
    outputs = [plain(x * mask).item() for mask in product((1, 0), repeat=2)]
    print(f"four masks: {outputs}, mean {np.mean(outputs)}")
    print(f"without a mask {plain(x).item()}, with weights times 0.5 {classic(x).item()}")


def trained():
    """A network with dropout, trained on a few noisy points of a sine."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, size=(40, 1))
    y = np.sin(2 * x[:, 0]) + 0.2 * rng.normal(size=40)
    model = MLPRegressor(
        hidden_layer_sizes=(50, 50),
        dropout=0.2,
        learning_rate_init=0.01,
        max_iter=600,
        n_iter_no_change=np.inf,
        random_state=0,
        n_jobs=1,
    )
    return model.fit(x, y), x, y


def draw_predictions(ax, model, x, y):
    grid = np.linspace(-3, 3, 150)[:, None]
    mean, std = model.predict(grid, dropout_samples=500, return_std=True)
    ax.plot(x, y, "k.", label="training samples")
    ax.plot(grid, model.predict(grid), label="test time: no mask")
    ax.plot(grid, mean, "--", label="mean over 500 masks")
    ax.fill_between(grid[:, 0], mean - 2 * std, mean + 2 * std, alpha=0.2, label="2 std over masks")
    ax.set(title="The average over masks", xlabel="$x$", ylabel="$y$")
    ax.legend(loc="lower center", ncols=2, fontsize=8)


def draw_convergence(ax, model):
    """How far averages over n masks are from one over many, which falls like 1 / sqrt(n)."""
    grid, counts = np.linspace(-2, 2, 20)[:, None], 2 ** np.arange(1, 10)
    exact, std = model.predict(grid, dropout_samples=10_000, return_std=True)
    error = [
        np.sqrt(((model.predict(grid, dropout_samples=int(n)) - exact) ** 2).mean()) for n in counts
    ]
    test = np.sqrt(((model.predict(grid) - exact) ** 2).mean())
    print(f"from the mean over masks: test time {test:.4f}, {counts[-1]} masks {error[-1]:.4f}")
    ax.loglog(counts, error, "o-", label="Monte Carlo")
    ax.loglog(counts, np.sqrt((std**2).mean() / counts), "--", label=r"spread / $\sqrt{n}$")
    ax.axhline(test, color="tab:green", label="test time: no mask")
    ax.set(title="Distance from the expectation", xlabel="number of masks $n$", ylabel="error")
    ax.legend(fontsize=8)


def main(folder):
    figure, axes = plt.subplots(1, 3, figsize=(16, 4.8), layout="constrained")
    draw_masks(axes[0])
    four_masks()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model, x, y = trained()
    draw_predictions(axes[1], model, x, y)
    draw_convergence(axes[2], model)
    figure.savefig(Path(folder) / "dropout.png", dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
