"""Pictures of estimators, in the manner of scikit-learn's displays; they need matplotlib, the
extra `plot`."""

from fastmlp.display._loss_curve import LossCurveDisplay
from fastmlp.display._network import NetworkDisplay
from fastmlp.display._weights import WeightsDisplay

__all__ = ["LossCurveDisplay", "NetworkDisplay", "WeightsDisplay"]
