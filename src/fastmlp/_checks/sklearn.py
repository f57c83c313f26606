"""scikit-learn's decorators with types.

It has none, so that to a user's type checker whatever they decorate would be Any.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from sklearn.base import _fit_context
from sklearn.utils import metaestimators

_Method = TypeVar("_Method", bound=Callable[..., Any])

# Where the picture of an estimator in a notebook leads to.
DOC_PAGE = "https://fastmlp.github.io/fastmlp/generated/fastmlp.{estimator_name}.html"

# What other libraries call the validation set of fit.
_VALIDATION_SETS = ("eval_set", "validation_data", "X_valid", "y_valid", "X_test", "y_test")


def fit_context(method: _Method) -> _Method:
    """Check the estimator's parameters before a method that fits it.

    An argument that it doesn't have is refused in the name of the estimator's own class.
    """
    known = inspect.signature(method).parameters
    fit = _fit_context(prefer_skip_nested_validation=True)(method)

    @wraps(method)
    def checked(estimator: Any, *arguments: Any, **named: Any) -> Any:
        for name in named.keys() - known.keys():
            hint = " A validation set goes to X_val and y_val." if name in _VALIDATION_SETS else ""
            raise TypeError(
                f"{type(estimator).__name__}.{method.__name__}() got an unexpected keyword "
                f"argument {name!r}.{hint}"
            )
        return fit(estimator, *arguments, **named)

    return cast(_Method, checked)


def available_if(check: Callable[[Any], bool]) -> Callable[[_Method], _Method]:
    """Leave a method out of estimators that fail the check, which raises an AttributeError."""
    return cast("Callable[[_Method], _Method]", metaestimators.available_if(check))
