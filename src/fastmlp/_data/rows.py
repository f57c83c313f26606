"""The rows that the core trains on, or that it scores."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Data:
    """Inputs, targets and weights, as the core reads them."""

    x: NDArray[Any]
    t: NDArray[Any]
    sample_weight: NDArray[Any] | None = None
    frame: Any = None  # the inputs as the user gave them, where their columns have names

    @property
    def n_rows(self) -> int:
        """The number of samples; a sparse matrix has no length."""
        return int(self.x.shape[0])
