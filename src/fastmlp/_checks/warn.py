"""Warnings that point to the user's line, however deep in here they are found."""

import sys
import warnings

_INSIDE = ("fastmlp", "sklearn")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost call that is neither in this package nor in scikit-learn."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def _is_inside(module: str) -> bool:
    return module.partition(".")[0] in (*_INSIDE, "contextlib")
