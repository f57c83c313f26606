"""scikit-learn's own checks of an estimator, with none of them expected to fail."""

import numpy as np
import pytest
from samples import classes, numbers
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp import MLPClassifier, MLPRegressor

# The settings with which scikit-learn runs its own networks through these checks, at the default
# dtype and at the one that is scikit-learn's rule; and what takes other ways through the code. With
# 'lbfgs' there are probabilities that float32 rounds to 1, where a check wants less.
ESTIMATORS = [
    kind(max_iter=100, dtype=dtype)
    for kind in (MLPClassifier, MLPRegressor)
    for dtype in ("float32", "auto")
] + [
    MLPClassifier(max_iter=100, solver="lbfgs", dtype="auto"),
    MLPRegressor(max_iter=100, solver="lbfgs", dtype="auto"),
    MLPClassifier(max_iter=100, loss="hinge", learning_rate_init=0.01),  # decision_function
]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks(ESTIMATORS)
def test_check(estimator, check):
    estimator = clone(estimator)  # which all the checks share
    if check.func.__name__.startswith("check_sample_weight_equivalence"):
        # It asks of a sum of equal samples and of a sample with their weight the same result to
        # 1e-7, less than a rounding in float32, whose epsilon is 1.2e-7. The test below has a bound
        # for that.
        estimator.set_params(dtype="auto")
    check(estimator)


@pytest.mark.parametrize(("kind", "data"), [(MLPClassifier, classes), (MLPRegressor, numbers)])
@pytest.mark.parametrize("convert", [np.asarray, csr_array])
def test_weights_are_repetitions_in_float32(kind, data, convert):
    """To a rounding of eps for each of the 50 steps, relative to outputs of about 1."""
    x, y = data()
    weight = np.arange(len(x)) % 4
    settings = {"max_iter": 50, "batch_size": "full", "random_state": 0}
    weighted = kind(**settings).fit(convert(x), y, sample_weight=weight)
    repeated = kind(**settings).fit(
        convert(np.repeat(x, weight, axis=0)), np.repeat(y, weight, axis=0)
    )
    a, b = (model.forward(x)[1][-1] for model in (weighted, repeated))
    np.testing.assert_allclose(a, b, rtol=0, atol=50 * np.finfo("float32").eps)
