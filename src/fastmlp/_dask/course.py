"""The rules that look at whole epochs, as the core has them: rate and stopping."""

import math
from typing import Any


class Course:
    """What training remembers from epoch to epoch.

    Parameters
    ----------
    rate : float
        The learning rate to begin with.
    settings : dict
        Those of a trainer that the rules ask for, by the core's names.
    """

    def __init__(self, rate: float, settings: dict[str, Any]) -> None:
        self.rate = self.first_rate = rate
        self.settings = settings
        self.rows_seen = 0
        self.no_improvement = 0
        self.best = -math.inf

    def count(self, score: float, n_epochs: int, n_rows: int) -> str:
        """Count epochs over so many rows; return what the stopping rule does, '' for nothing.

        The `score` behind them is what it looks at, larger being better.
        """
        settings = self.settings
        improved = score >= self.best + settings["tol"] and math.isfinite(score)
        self.no_improvement = 0 if improved else self.no_improvement + n_epochs
        self.best = score if score > self.best else self.best
        self.rows_seen += n_epochs * n_rows
        if settings["schedule"] == "invscaling":
            self.rate = self.first_rate / (self.rows_seen + 1.0) ** settings["power_t"]
        patience = settings["n_iter_no_change"]
        if patience < 0 or self.no_improvement <= patience:
            return ""
        if settings["schedule"] != "adaptive":
            return "no_improvement"
        if self.rate <= 1e-6:
            return "rate_too_small"
        self.rate /= 5.0
        self.no_improvement = 0
        return "rate_cut"
