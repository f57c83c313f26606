"""The choices that parameters have, for type checkers: a name that is none is found before it runs.

Tests compare them with what is accepted.
"""

from typing import Literal

Solver = Literal["adam", "sgd", "lbfgs", "adamw", "nadam", "rmsprop", "adagrad"]
Penalty = Literal["l2", "l1", "elasticnet"]
BatchSize = Literal["auto", "full"]
LearningRate = Literal[
    "constant",
    "invscaling",
    "adaptive",
    "plateau",
    "cosine",
    "one_cycle",
    "exponential",
    "step",
]
Dtype = Literal["float32", "float64"]
AnyDtype = Literal["float32", "float64", "auto"]
Preset = Literal["fast", "balanced", "best"]
