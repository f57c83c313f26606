"""The distributions that starting weights are drawn from, one row each.

`random_state` and NumPy make the draws, in float64 whatever the network's dtype, so that one seed
means one start.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._checks.names import parse_choice
from fastmlp._checks.threads import one_blas_thread

if TYPE_CHECKING:
    from fastmlp._model.architecture import Architecture, Params

Shape = tuple[int, ...]


def _uniform(random_state: np.random.RandomState, bound: float, shape: Shape) -> NDArray[Any]:
    return random_state.uniform(-bound, bound, shape)


def _normal(random_state: np.random.RandomState, deviation: float, shape: Shape) -> NDArray[Any]:
    return random_state.normal(0.0, deviation, shape)


def _orthogonal(random_state: np.random.RandomState, gain: float, shape: Shape) -> NDArray[Any]:
    """Draw a matrix whose rows or columns, whichever are fewer, are orthogonal.

    The Q of a Gaussian matrix is uniform over such matrices once the diagonal of R is positive
    (Mezzadri, 2007). One thread: LAPACK may round otherwise with another number of them.
    """
    rows, columns = shape
    gaussian = random_state.normal(size=(max(rows, columns), min(rows, columns)))
    with one_blas_thread():
        q, r = np.linalg.qr(gaussian)
    q *= gain * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return q if rows >= columns else q.T


@dataclass(frozen=True)
class Initialiser:
    """A distribution, and its width for a layer with that many inputs and outputs.

    The width is the bound of a uniform distribution, the standard deviation of a normal one, and
    the singular value of an orthogonal matrix; `parameter` is the name of it, and its value unless
    another is given, where the size of the layer has no part in it.
    """

    draw: Callable[[np.random.RandomState, float, Shape], NDArray[Any]]
    width: Callable[[int, int], float]
    parameter: str | None = None

    def __call__(
        self, random_state: np.random.RandomState, fans: tuple[int, int], shape: Shape | None = None
    ) -> NDArray[Any]:
        """Draw the weights of a layer, or something else of its width."""
        return self.draw(random_state, self.width(*fans), fans if shape is None else shape)


INITIALISERS: dict[str, Initialiser] = {
    # Glorot and Bengio, 2010, equations 16 and 12: variance 2 / (in + out).
    "glorot_uniform": Initialiser(_uniform, lambda n_in, n_out: np.sqrt(6.0 / (n_in + n_out))),
    "glorot_normal": Initialiser(_normal, lambda n_in, n_out: np.sqrt(2.0 / (n_in + n_out))),
    # He et al., 2015, equation 10: variance 2 / in, for ReLU.
    "he_uniform": Initialiser(_uniform, lambda n_in, _: np.sqrt(6.0 / n_in)),
    "he_normal": Initialiser(_normal, lambda n_in, _: np.sqrt(2.0 / n_in)),
    # LeCun et al., 1998, equation 16: variance 1 / in; for SELU too (Klambauer et al., 2017).
    "lecun_uniform": Initialiser(_uniform, lambda n_in, _: np.sqrt(3.0 / n_in)),
    "lecun_normal": Initialiser(_normal, lambda n_in, _: np.sqrt(1.0 / n_in)),
    # Saxe, McClelland and Ganguli, 2014.
    "orthogonal": Initialiser(_orthogonal, lambda *_: 1.0, "gain"),
    "uniform": Initialiser(_uniform, lambda *_: 0.05, "bound"),
    "normal": Initialiser(_normal, lambda *_: 0.05, "std"),
}
_PARAMETERS = {name: row.parameter for name, row in INITIALISERS.items()}

# What scikit-learn has for the logistic function: a third of Glorot's variance.
GLOROT_LOGISTIC = Initialiser(_uniform, lambda n_in, n_out: np.sqrt(2.0 / (n_in + n_out)))


def parse_initialiser(argument: str, value: Any, *others: str) -> Initialiser | None:
    """Return the initialiser of a name such as 'he_normal' or 'normal(0.1)'.

    None stands for one of the `others`, which are allowed beside those of the table.

    Raises
    ------
    ValueError
        If there is no such name, or its parameter is not allowed.
    """
    name, parameter = parse_choice(argument, value, (*others, *INITIALISERS), _PARAMETERS)
    if name in others:
        return None
    row = INITIALISERS[name]
    return row if parameter is None else replace(row, width=lambda *_: parameter)


def draw_params(
    architecture: "Architecture",
    random_state: np.random.RandomState,
    weights: Sequence[Initialiser],
    biases: Sequence[Initialiser] | None = None,
) -> "Params":
    """Draw the starting parameters, one initialiser per layer; biases are zero without any.

    The biases of a layer are drawn right after its weights, as scikit-learn does.
    """
    dtype = architecture.dtype
    coefs, intercepts = [], []
    for i, (n_in, n_out) in enumerate(architecture.fans):
        coefs.append(weights[i](random_state, (n_in, n_out)).astype(dtype, copy=False))
        bias = (
            np.zeros(n_out) if biases is None else biases[i](random_state, (n_in, n_out), (n_out,))
        )
        intercepts.append(bias.astype(dtype, copy=False))
    return coefs, intercepts, architecture.empty().get_params()[2]
