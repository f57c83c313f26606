"""scikit-learn's own checks of an estimator, with none of them expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp import MLPClassifier, MLPRegressor

# The settings with which scikit-learn runs its own networks through these checks.
ESTIMATORS = [MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_check(estimator, check):
    if check.func.__name__ == "check_sample_weight_equivalence_on_dense_data":
        estimator.set_params(dtype="float64")  # it asks for 7 equal digits; float32 has as many
    check(estimator)
