"""fastmlp: fast multilayer perceptrons on the CPU, with the API of scikit-learn."""

from fastmlp._affinity import kept_affinity

with kept_affinity():
    from fastmlp import callbacks, data, graph
    from fastmlp._checks.info import get_target, machine_limits, set_target, show_info
    from fastmlp._core import __version__
    from fastmlp.classifier import MLPClassifier
    from fastmlp.conversion import from_sklearn, to_c, to_onnx, to_sklearn
    from fastmlp.display import LossCurveDisplay, NetworkDisplay, WeightsDisplay
    from fastmlp.layers import Activation, Dense, Dropout, LayerNorm
    from fastmlp.learning_rate import find_learning_rate
    from fastmlp.network import Network
    from fastmlp.neuron import McCullochPitts
    from fastmlp.pack import fit_pack
    from fastmlp.perceptron import Perceptron
    from fastmlp.persistence import load, save
    from fastmlp.regressor import MLPRegressor
    from fastmlp.tabular import TabularClassifier, TabularRegressor

__all__ = [
    "Activation",
    "Dense",
    "Dropout",
    "LayerNorm",
    "LossCurveDisplay",
    "MLPClassifier",
    "MLPRegressor",
    "McCullochPitts",
    "Network",
    "NetworkDisplay",
    "Perceptron",
    "TabularClassifier",
    "TabularRegressor",
    "WeightsDisplay",
    "__version__",
    "callbacks",
    "data",
    "find_learning_rate",
    "fit_pack",
    "from_sklearn",
    "get_target",
    "graph",
    "load",
    "machine_limits",
    "save",
    "set_target",
    "show_info",
    "to_c",
    "to_onnx",
    "to_sklearn",
]
