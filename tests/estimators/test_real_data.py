"""On real data the scores are those of scikit-learn's networks, up to the luck of a training run.

Both libraries get the same folds and the same initial weights; what differs is the order of the
batches (and float32). Were they equally good, the differences of their paired scores would be
symmetric around zero, so a paired t-test may speak against it once in a thousand.
"""

import numpy as np
import pytest
from scipy.stats import ttest_rel
from sklearn import datasets, neural_network
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor

SEEDS = (0, 1, 2)
TASKS = {
    "digits": (
        datasets.load_digits,
        "MLPClassifier",
        {"max_iter": 20, "learning_rate_init": 0.005},
        0.95,
    ),
    "breast_cancer": (
        datasets.load_breast_cancer,
        "MLPClassifier",
        {"max_iter": 20, "learning_rate_init": 0.005},
        0.95,
    ),
    "diabetes": (
        datasets.load_diabetes,
        "MLPRegressor",
        {"max_iter": 40, "solver": "sgd", "learning_rate_init": 0.003},
        0.35,
    ),
}


def scores(library, kind, data, settings):
    """Scores over five folds, for each seed."""
    folds = (KFold if kind == "MLPRegressor" else StratifiedKFold)(5, shuffle=True, random_state=0)
    result = []
    for seed in SEEDS:
        model = getattr(library, kind)(hidden_layer_sizes=(32,), random_state=seed, **settings)
        result.append(cross_val_score(make_pipeline(StandardScaler(), model), *data, cv=folds))
    return np.concatenate(result)


class Fastmlp:
    """fastmlp's estimators by name, as a library."""

    MLPClassifier = MLPClassifier
    MLPRegressor = MLPRegressor


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", list(TASKS))
def test_scores_like_scikit_learn(name):
    load, kind, settings, least = TASKS[name]
    x, y = load(return_X_y=True)
    if kind == "MLPRegressor":
        y = (y - y.mean()) / y.std()
    ours = scores(Fastmlp, kind, (x, y), settings)
    theirs = scores(neural_network, kind, (x, y), settings)
    assert ours.mean() > least
    difference = ours - theirs
    assert np.allclose(difference, difference[0]) or ttest_rel(ours, theirs).pvalue > 1e-3, (
        f"ours {ours.mean():.4f}, scikit-learn's {theirs.mean():.4f}"
    )
