"""Early stopping: training stops, and the weights are kept, where the validation error is least.

python examples/lecture/early_stopping.py [output folder]
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from fastmlp import MLPClassifier

HOW = {
    "hidden_layer_sizes": (100, 50),
    "activation": "tanh",
    "learning_rate_init": 0.001,
    "batch_size": 20,
    "alpha": 0.0,
    "max_iter": 150,
    "scoring": "loss",
    "random_state": 0,
    "n_jobs": 1,
}


def main(folder):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(680, 2)), rng.integers(0, 2, 680)
    x[:, 0] += 1.6 * y  # two clouds that overlap
    x_train, x_rest, y_train, y_rest = train_test_split(x, y, train_size=80, random_state=0)
    x_val, x_test, y_val, y_test = train_test_split(x_rest, y_rest, test_size=0.5, random_state=0)

    # Once to the end, to see both curves; the weights of the best epoch are kept all the same.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        full = MLPClassifier(**HOW, n_iter_no_change=np.inf)
        full.fit(x_train, y_train, X_val=x_val, y_val=y_val)
        last = MLPClassifier(**HOW, n_iter_no_change=np.inf).fit(x_train, y_train)
    stopped = MLPClassifier(**HOW, early_stopping=True, n_iter_no_change=25)
    stopped.fit(x_train, y_train, X_val=x_val, y_val=y_val)

    validation = np.array(full.history_["val_loss"])
    best = full.best_epoch_
    print(f"least validation error {validation.min():.3f} in epoch {best}; at the end of")
    print(f"{full.n_iter_} epochs it is {validation[-1]:.3f}, the training error {full.loss_:.3f}")
    print(
        f"with early_stopping=True it ends in epoch {stopped.n_iter_}, keeps {stopped.best_epoch_}"
    )
    for name, model in (("best epoch", stopped), ("last epoch", last)):
        print(f"weights of the {name}: test accuracy {model.score(x_test, y_test):.3f}")

    figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
    epochs = np.arange(1, full.n_iter_ + 1)
    ax.plot(epochs, full.loss_curve_, label="training error")
    ax.plot(epochs, validation, label="validation error")
    ax.plot(best, validation.min(), "k*", markersize=14, zorder=3, label="minimum: weights kept")
    ax.axvline(best, color="k", linestyle=":", linewidth=1)
    ax.axvline(stopped.n_iter_, color="tab:red", linestyle="--", linewidth=1, label="stops here")
    ax.set(title="Early stopping", xlabel="epoch", ylabel="cross entropy", ylim=(0, None))
    ax.legend(loc="lower right")
    figure.savefig(Path(folder) / "early_stopping.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
