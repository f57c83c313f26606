"""fastmlp: fast multilayer perceptrons on the CPU, with the API of scikit-learn."""

from fastmlp import callbacks, graph
from fastmlp._core import __version__
from fastmlp._info import get_target, set_target, show_info
from fastmlp.classifier import MLPClassifier
from fastmlp.layers import Activation, Dense, Dropout
from fastmlp.network import Network
from fastmlp.neuron import McCullochPitts
from fastmlp.perceptron import Perceptron
from fastmlp.regressor import MLPRegressor

__all__ = [
    "Activation",
    "Dense",
    "Dropout",
    "MLPClassifier",
    "MLPRegressor",
    "McCullochPitts",
    "Network",
    "Perceptron",
    "__version__",
    "callbacks",
    "get_target",
    "graph",
    "set_target",
    "show_info",
]
