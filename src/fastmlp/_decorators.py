"""scikit-learn's decorators with types.

It has none, so that to a user's type checker whatever they decorate would be Any.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from sklearn.base import _fit_context
from sklearn.utils import metaestimators

_Method = TypeVar("_Method", bound=Callable[..., Any])


def fit_context(method: _Method) -> _Method:
    """Check the estimator's parameters before a method that fits it."""
    return cast(_Method, _fit_context(prefer_skip_nested_validation=True)(method))


def available_if(check: Callable[[Any], bool]) -> Callable[[_Method], _Method]:
    """Leave a method out of estimators that fail the check, which raises an AttributeError."""
    return cast("Callable[[_Method], _Method]", metaestimators.available_if(check))
