"""Warnings that point to the user's line, however deep in here they are found."""

import sys
import traceback
import warnings

_INSIDE = ("fastmlp", "sklearn", "contextlib")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line that is neither in this package nor in scikit-learn."""
    for frame, line in traceback.walk_stack(sys._getframe(1)):
        names = frame.f_globals
        if names.get("__name__", "").partition(".")[0] in _INSIDE:
            continue
        registry = names.setdefault("__warningregistry__", {})
        module = names.get("__name__", "")
        file = frame.f_code.co_filename
        warnings.warn_explicit(message, category, file, line, module, registry)
        return
    warnings.warn(message, category, stacklevel=2)
