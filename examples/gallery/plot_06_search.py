"""
A search with Optuna, with pruning
==================================

Each trial is a network; trials that fall behind are given up while they train. Optuna is a package
of its own: ``pip install optuna``.
"""

import matplotlib.pyplot as plt
import optuna
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastmlp import MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X / 16, y, random_state=0)
optuna.logging.set_verbosity(optuna.logging.WARNING)

# %%
# A callback tells Optuna of each epoch, and ends the training where Optuna says so.


def objective(trial):
    """Return the accuracy of a network on the validation set."""

    def report(end):
        trial.report(end.val_score, end.epoch)
        return trial.should_prune()

    model = MLPClassifier(
        (trial.suggest_int("units", 16, 256, log=True),) * trial.suggest_int("layers", 1, 3),
        activation=trial.suggest_categorical("activation", ["relu", "silu", "tanh"]),
        learning_rate_init=trial.suggest_float("rate", 1e-4, 3e-2, log=True),
        dropout=trial.suggest_float("dropout", 0.0, 0.5),
        early_stopping=True,
        max_iter=60,
        random_state=0,
        callbacks=report,
    )
    model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    if model.stopped_ == "callback":
        raise optuna.TrialPruned
    return model.best_validation_score_


study = optuna.create_study(
    direction="maximize",
    sampler=optuna.samplers.TPESampler(seed=0),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=5),
)
study.optimize(objective, n_trials=40)
states = [trial.state.name for trial in study.trials]
print(f"{states.count('PRUNED')} of {len(states)} trials were given up early")
print(f"{study.best_value:.3f} with {study.best_params}")

# %%
# The epochs of every trial.

fig, ax = plt.subplots(figsize=(7, 4))
for trial in study.trials:
    pruned = trial.state.name == "PRUNED"
    values = trial.intermediate_values
    ax.plot(list(values), list(values.values()), color="0.75" if pruned else "C0", lw=1)
ax.set_xlabel("epoch")
ax.set_ylabel("accuracy on the validation set")
ax.set_ylim(0.6, 1.0)
plt.show()
