"""What every row of the catalog means, in NumPy: the specification the kernels are held against.

Rows of an array are examples. `z` is a pre-activation, `y = activation(z)`, `t` the target; `d` in
front of a name is the gradient of the objective with respect to it. Everything works in the
precision of its input.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, xlogy
from scipy.stats import norm

Array = NDArray[np.floating]
Params = list[tuple[Array, Array]]


# Activations


@dataclass(frozen=True)
class Activation:
    """Elementwise activation, its slope, and how far a kernel may be from it (in ULP)."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    max_ulp: int = 0
    probability: bool = False  # values lie in (0, 1)
    positive: bool = False
    kinks: tuple[float, ...] = ()  # where the slope jumps or has a kink

    def backward(self, z: Array, dy: Array) -> Array:
        """dz, given dy."""
        return dy * self.slope(z)


class RowActivation(Activation):
    """Activation of a whole row. `slope` is its Jacobian, one matrix per row: dy @ slope is dz."""

    def backward(self, z: Array, dy: Array) -> Array:
        return np.einsum("ri,rij->rj", dy, self.slope(z))


def logistic(z: Array) -> Array:
    small = np.exp(-np.abs(z))  # never overflows
    return np.where(z < 0, small, 1) / (1 + small)


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_jacobian(z: Array) -> Array:
    y = softmax(z)
    return y[:, :, None] * (np.eye(z.shape[1]) - y[:, None, :])


def log_softmax(z: Array) -> Array:
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def log_softmax_jacobian(z: Array) -> Array:
    return np.eye(z.shape[1]) - softmax(z)[:, None, :]


def normal_distribution(z: Array) -> Array:
    """Phi(z); in long double, which SciPy lacks, by series and by Laplace's continued fraction."""
    if z.dtype != np.longdouble:
        return ndtr(z)
    a = np.abs(z)
    bell = np.exp(-(a**2) / 2) / np.sqrt(8 * np.arctan(np.longdouble(1)))
    near, far = np.minimum(a, 2), np.maximum(a, 2)
    term = total = near
    for k in range(1, 60):
        term = term * near**2 / (2 * k + 1)
        total = total + term
    fraction = far
    for k in range(100, 0, -1):
        fraction = far + k / fraction
    tail = np.where(a < 2, np.longdouble(0.5) - bell * total, bell / fraction)
    return np.where(z < 0, tail, 1 - tail)


def softplus(z: Array) -> Array:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def clipped(low: float, high: float, shift: float = 0.0, scale: float = 1.0) -> Activation:
    """The straight line (z + shift) / scale between two bounds."""

    def slope(z: Array) -> Array:
        line = (z + shift) / scale
        return np.where((line > low) & (line < high), 1 / scale, 0.0)

    kinks = (low * scale - shift, high * scale - shift)
    return Activation(
        lambda z: np.clip((z + shift) / scale, low, high), slope, max_ulp=1, kinks=kinks
    )


def exponential_unit(scale: float, alpha: float) -> Activation:
    """A straight line for z > 0, and alpha (exp(z) - 1) below, both scaled."""
    return Activation(
        lambda z: scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0))),
        lambda z: scale * np.where(z > 0, 1, alpha * np.exp(np.minimum(z, 0))),
        max_ulp=4,
        kinks=(0.0,),
    )


def leaky(slope: float) -> Activation:
    return Activation(
        lambda z: np.where(z > 0, z, slope * z),
        lambda z: np.where(z > 0, 1, slope),
        max_ulp=1,
        kinks=(0.0,),
    )


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(lambda z: z, np.ones_like),
    "logistic": Activation(
        logistic,
        lambda z: logistic(z) * logistic(-z),
        max_ulp=4,
        probability=True,
        positive=True,
    ),
    "tanh": Activation(np.tanh, lambda z: 1 - np.tanh(z) ** 2, max_ulp=4),
    "relu": Activation(lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype), kinks=(0.0,)),
    "leaky_relu": leaky(0.01),
    "prelu": leaky(0.25),
    "relu6": clipped(0, 6),
    "elu": exponential_unit(1, 1),
    "selu": exponential_unit(1.0507009873554805, 1.6732632423543772),
    "gelu": Activation(
        lambda z: z * normal_distribution(z),
        lambda z: ndtr(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi),
        max_ulp=5,  # in the tail, a product of four factors: z, t, P and the exponential
    ),
    "silu": Activation(
        lambda z: z * logistic(z),
        lambda z: logistic(z) * (1 + z * logistic(-z)),
        max_ulp=4,
    ),
    "mish": Activation(
        lambda z: z * np.tanh(softplus(z)),
        lambda z: (
            np.tanh(softplus(z)) + z * logistic(z) / np.cosh(np.minimum(softplus(z), 50)) ** 2
        ),
        max_ulp=4,
    ),
    "softplus": Activation(softplus, logistic, max_ulp=4, positive=True),
    "softsign": Activation(
        lambda z: z / (1 + np.abs(z)),
        lambda z: 1 / (1 + np.abs(z)) ** 2,
        max_ulp=4,
        kinks=(0.0,),
    ),
    "hard_sigmoid": clipped(0, 1, shift=3, scale=6),
    "hard_tanh": clipped(-1, 1),
    "exp": Activation(np.exp, np.exp, max_ulp=4, positive=True),
    "softmax": RowActivation(
        softmax, softmax_jacobian, max_ulp=16, probability=True, positive=True
    ),
    "log_softmax": RowActivation(log_softmax, log_softmax_jacobian, max_ulp=16),
}


# The same with another parameter than the default
ACTIVATION_VARIANTS: dict[tuple[str, float], Activation] = {
    ("leaky_relu", 0.3): leaky(0.3),
    ("leaky_relu", 0.0): leaky(0.0),
    ("prelu", 0.6): leaky(0.6),
    ("elu", 1.7): exponential_unit(1, 1.7),
}


# Losses


@dataclass(frozen=True)
class Loss:
    """Loss of each row, and its gradient with respect to the network's output or to its logits.

    With `link` as output activation, both have a form in the logits that cannot overflow.
    """

    link: str
    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]
    logit_value: Callable[[Array, Array], Array]
    logit_gradient: Callable[[Array, Array], Array]
    probability: bool = False  # needs outputs in (0, 1), and targets in [0, 1]
    positive: bool = False  # needs outputs above 0, and targets of at least 0
    sides: bool = False  # needs targets of 0 and 1, or of -1 and 1
    per_target: int = 1  # outputs
    # How far each output is from where the gradient has a kink or jumps.
    kink: Callable[[Array, Array], Array] = lambda y, t: np.full_like(y, np.inf)

    def suits(self, activation: Activation) -> bool:
        """Whether the outputs of the activation are such that the loss is defined."""
        needs = (self.probability, self.positive)
        return all(
            has or not need
            for need, has in zip(needs, (activation.probability, activation.positive), strict=True)
        )

    def targets(self, rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        """Targets of the kind that the loss is made for, for outputs of that shape."""
        shape = (shape[0], shape[1] // self.per_target)
        if self.link in ("softmax", "log_softmax"):
            return softmax(rng.normal(size=shape))
        if self.probability:
            return rng.uniform(size=shape)
        if self.sides:
            return rng.choice([rng.choice([0.0, -1.0]), 1.0], size=shape)
        return rng.poisson(2.0, size=shape) * 1.0 if self.positive else rng.normal(size=shape)


def unlinked(
    value: Callable[[Array, Array], Array],
    gradient: Callable[[Array, Array], Array],
    kink: Callable[[Array, Array], Array] = lambda y, t: np.full_like(y, np.inf),
    sides: bool = False,
) -> Loss:
    """A loss whose link is the identity: logits and outputs are the same."""
    return Loss("identity", value, gradient, value, gradient, kink=kink, sides=sides)


def side(t: Array) -> Array:
    """1 for a target of 1, and -1 for the other one, which is 0 or -1."""
    return np.where(t > 0, 1.0, -1.0)


def focal_slope(y: Array, gamma: float) -> Array:
    """Derivative of -(1 - y)^gamma log(y)."""
    bent = gamma * (1 - y) ** (gamma - 1) * np.log(y) if gamma else 0.0
    return bent - (1 - y) ** gamma / y


def focal(gamma: float) -> Loss:
    def times_output(z: Array) -> Array:
        p, log_p = softmax(z), log_softmax(z)
        bent = gamma * p * (1 - p) ** (gamma - 1) * log_p if gamma else 0.0
        return bent - (1 - p) ** gamma

    def logit_gradient(z: Array, t: Array) -> Array:
        g = t * times_output(z)
        return g - softmax(z) * g.sum(axis=1, keepdims=True)

    return Loss(
        "softmax",
        lambda y, t: -(t * (1 - y) ** gamma * np.log(y)).sum(axis=1),
        lambda y, t: t * focal_slope(y, gamma),
        lambda z, t: -(t * (1 - softmax(z)) ** gamma * log_softmax(z)).sum(axis=1),
        logit_gradient,
        probability=True,
    )


def binary_focal(gamma: float) -> Loss:
    def side(z: Array) -> Array:
        return np.exp(-gamma * softplus(z)) * softplus(-z)

    def slope(z: Array) -> Array:
        return -np.exp(-gamma * softplus(z)) * (gamma * logistic(z) * softplus(-z) + logistic(-z))

    return Loss(
        "logistic",
        lambda y, t: (
            -(t * (1 - y) ** gamma * np.log(y) + (1 - t) * y**gamma * np.log1p(-y)).sum(axis=1)
        ),
        lambda y, t: t * focal_slope(y, gamma) - (1 - t) * focal_slope(1 - y, gamma),
        lambda z, t: (t * side(z) + (1 - t) * side(-z)).sum(axis=1),
        lambda z, t: t * slope(z) - (1 - t) * slope(-z),
        probability=True,
    )


def huber(delta: float) -> Loss:
    def value(y: Array, t: Array) -> Array:
        r = np.abs(y - t)
        return np.where(r <= delta, r**2 / 2, delta * (r - delta / 2)).mean(axis=1)

    return unlinked(
        value,
        lambda y, t: np.clip(y - t, -delta, delta) / y.shape[1],
        kink=lambda y, t: np.abs(np.abs(y - t) - delta),
    )


def quantile(q: float) -> Loss:
    return unlinked(
        lambda y, t: np.where(t > y, q * (t - y), (1 - q) * (y - t)).mean(axis=1),
        lambda y, t: np.where(t > y, -q, np.where(t < y, 1 - q, 0)) / y.shape[1],
        kink=lambda y, t: np.abs(y - t),
    )


def gaussian_value(y: Array, t: Array) -> Array:
    mean, s = np.hsplit(y, 2)
    return -norm.logpdf(t, mean, np.exp(s / 2)).mean(axis=1)


def gaussian_gradient(y: Array, t: Array) -> Array:
    mean, s = np.hsplit(y, 2)
    off = (mean - t) / np.exp(s)
    return np.hstack([off, (1 - off * (mean - t)) / 2]) / t.shape[1]


LOSSES: dict[str, Loss] = {
    "cross_entropy": Loss(
        link="softmax",
        value=lambda y, t: -(t * np.log(y)).sum(axis=1),
        gradient=lambda y, t: -t / y,
        logit_value=lambda z, t: -(t * log_softmax(z)).sum(axis=1),
        logit_gradient=lambda z, t: softmax(z) * t.sum(axis=1, keepdims=True) - t,
        probability=True,
    ),
    "binary_cross_entropy": Loss(
        link="logistic",
        value=lambda y, t: -(t * np.log(y) + (1 - t) * np.log1p(-y)).sum(axis=1),
        gradient=lambda y, t: (y - t) / (y * (1 - y)),
        logit_value=lambda z, t: (softplus(z) - t * z).sum(axis=1),
        logit_gradient=lambda z, t: logistic(z) - t,
        probability=True,
    ),
    "nll": Loss(
        link="log_softmax",
        value=lambda y, t: -(t * y).sum(axis=1),
        gradient=lambda y, t: -t,
        logit_value=lambda z, t: -(t * log_softmax(z)).sum(axis=1),
        logit_gradient=lambda z, t: softmax(z) * t.sum(axis=1, keepdims=True) - t,
    ),
    "focal": focal(2.0),
    "binary_focal": binary_focal(2.0),
    "hinge": unlinked(
        lambda y, t: np.maximum(0, 1 - side(t) * y).sum(axis=1),
        lambda y, t: np.where(side(t) * y < 1, -side(t), 0),
        kink=lambda y, t: np.abs(1 - side(t) * y),
        sides=True,
    ),
    "poisson": Loss(
        link="exp",
        value=lambda y, t: (xlogy(t, t) - t - t * np.log(y) + y).sum(axis=1),
        gradient=lambda y, t: 1 - t / y,
        logit_value=lambda z, t: (xlogy(t, t) - t - t * z + np.exp(z)).sum(axis=1),
        logit_gradient=lambda z, t: np.exp(z) - t,
        positive=True,
    ),
    "squared_error": unlinked(lambda y, t: 0.5 * ((y - t) ** 2).sum(axis=1), lambda y, t: y - t),
    "mse": unlinked(
        lambda y, t: ((y - t) ** 2).mean(axis=1), lambda y, t: 2 * (y - t) / y.shape[1]
    ),
    "mae": unlinked(
        lambda y, t: np.abs(y - t).mean(axis=1),
        lambda y, t: np.sign(y - t) / y.shape[1],
        kink=lambda y, t: np.abs(y - t),
    ),
    "huber": huber(1.0),
    "quantile": quantile(0.5),
    "gaussian": replace(unlinked(gaussian_value, gaussian_gradient), per_target=2),
}

# The same with another parameter than the default
LOSS_VARIANTS: dict[tuple[str, float], Loss] = {
    ("focal", 0.0): focal(0.0),
    ("focal", 3.5): focal(3.5),
    ("binary_focal", 0.0): binary_focal(0.0),
    ("binary_focal", 1.0): binary_focal(1.0),
    ("huber", 0.3): huber(0.3),
    ("quantile", 0.9): quantile(0.9),
}


# Optimizers: step(w, g, slots, rate, hyperparameters, step) -> (w, slots), with step = 1 first

Step = Callable[
    [Array, Array, list[Array], float, Mapping[str, float], int], tuple[Array, list[Array]]
]


def sgd(
    w: Array, g: Array, slots: list[Array], rate: float, hyper: Mapping[str, float], step: int
) -> tuple[Array, list[Array]]:
    """Momentum, plain or Nesterov's (Sutskever et al., 2013)."""
    velocity = hyper["momentum"] * slots[0] - rate * g
    update = hyper["momentum"] * velocity - rate * g if hyper["nesterov"] else velocity
    return w + update, [velocity]


def adam(
    w: Array, g: Array, slots: list[Array], rate: float, hyper: Mapping[str, float], step: int
) -> tuple[Array, list[Array]]:
    """Kingma and Ba, 2015, with both bias corrections in the rate as scikit-learn has them."""
    beta_1, beta_2 = hyper["beta_1"], hyper["beta_2"]
    m = beta_1 * slots[0] + (1 - beta_1) * g
    v = beta_2 * slots[1] + (1 - beta_2) * g**2
    corrected = rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    return w - corrected * m / (np.sqrt(v) + hyper["epsilon"]), [m, v]


def nadam(
    w: Array, g: Array, slots: list[Array], rate: float, hyper: Mapping[str, float], step: int
) -> tuple[Array, list[Array]]:
    """Dozat, 2016, with a constant momentum."""
    beta_1, beta_2 = hyper["beta_1"], hyper["beta_2"]
    m = beta_1 * slots[0] + (1 - beta_1) * g
    v = beta_2 * slots[1] + (1 - beta_2) * g**2
    ahead = beta_1 * m / (1 - beta_1 ** (step + 1)) + (1 - beta_1) * g / (1 - beta_1**step)
    return w - rate * ahead / (np.sqrt(v / (1 - beta_2**step)) + hyper["epsilon"]), [m, v]


def rmsprop(
    w: Array, g: Array, slots: list[Array], rate: float, hyper: Mapping[str, float], step: int
) -> tuple[Array, list[Array]]:
    """Tieleman and Hinton, 2012."""
    v = hyper["rho"] * slots[0] + (1 - hyper["rho"]) * g**2
    return w - rate * g / (np.sqrt(v) + hyper["epsilon"]), [v]


def adagrad(
    w: Array, g: Array, slots: list[Array], rate: float, hyper: Mapping[str, float], step: int
) -> tuple[Array, list[Array]]:
    """Duchi, Hazan and Singer, 2011."""
    total = slots[0] + g**2
    return w - rate * g / (np.sqrt(total) + hyper["epsilon"]), [total]


OPTIMIZERS: dict[str, Step] = {
    "sgd": sgd,
    "adam": adam,
    "adamw": adam,  # the penalty's gradient is not part of g, see DECOUPLED
    "nadam": nadam,
    "rmsprop": rmsprop,
    "adagrad": adagrad,
}

# Optimizers that move the weights along the penalty's gradient by the plain rate, before the step
DECOUPLED = {"adamw"}


def reach(
    name: str, slots: list[Array], rate: float, hyper: Mapping[str, float], step: int
) -> Array | float:
    """How far a gradient of one moves a weight in the long run, bias corrections included."""
    if name in {"sgd", *DECOUPLED}:
        return rate
    v = slots[-1]
    if "beta_2" in hyper:
        v = v / (1 - hyper["beta_2"] ** step)
    epsilon = hyper["epsilon"]
    if name == "adam":  # whose epsilon stands beside the uncorrected root
        epsilon = epsilon / np.sqrt(1 - hyper["beta_2"] ** step)
    return rate / (np.sqrt(v) + epsilon)


def penalised_step(
    name: str,
    w: Array,
    g: Array,
    slots: list[Array],
    rate: float,
    hyper: Mapping[str, float],
    step: int,
    l1: float,
    l2: float,
) -> tuple[Array, list[Array]]:
    """One step on an objective with the penalty l1 |w|_1 + l2 |w|_2^2, the first part proximal."""
    if name in DECOUPLED:
        w = w - rate * 2 * l2 * w
    else:
        g = g + 2 * l2 * w
    w, slots = OPTIMIZERS[name](w, g, slots, rate, hyper, step)
    distance = l1 * reach(name, slots, rate, hyper, step)
    return np.sign(w) * np.maximum(np.abs(w) - distance, 0), slots


# The network made of them


@dataclass(frozen=True)
class Mlp:
    """Multilayer perceptron with the penalty l1 * |w|_1 + l2 * |w|_2^2 in each layer."""

    activations: Sequence[str]
    l1: Sequence[float] = field(default=())
    l2: Sequence[float] = field(default=())

    def forward(self, x: Array, params: Params) -> tuple[list[Array], list[Array]]:
        """Pre-activation and activation of every layer."""
        zs: list[Array] = []
        ys: list[Array] = []
        y = x
        for name, (w, b) in zip(self.activations, params, strict=True):
            zs.append(y @ w + b)
            y = ACTIVATIONS[name].value(zs[-1])
            ys.append(y)
        return zs, ys

    def penalty_gradient(self, layer: int, w: Array) -> Array:
        """Gradient of the layer's penalty with respect to its weights."""
        l1 = self.l1[layer] if self.l1 else 0.0
        l2 = self.l2[layer] if self.l2 else 0.0
        return l1 * np.sign(w) + 2 * l2 * w

    def penalty(self, params: Params) -> float:
        l1, l2 = self.l1 or [0.0] * len(params), self.l2 or [0.0] * len(params)
        return sum(
            a * np.abs(w).sum() + c * (w**2).sum()
            for a, c, (w, _) in zip(l1, l2, params, strict=True)
        )

    def loss_and_gradients(
        self,
        x: Array,
        t: Array,
        params: Params,
        loss: str,
        sample_weight: Array | None = None,
        penalty_scale: float = 1.0,
    ) -> tuple[float, Params]:
        """Weighted mean of the loss plus penalty, and its gradient for every layer."""
        share = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight, float)
        share = share / share.sum()
        zs, ys = self.forward(x, params)
        row = LOSSES[loss]
        linked = row.link == self.activations[-1]
        value = (share * (row.logit_value(zs[-1], t) if linked else row.value(ys[-1], t))).sum()
        dy = np.empty(0) if linked else share[:, None] * row.gradient(ys[-1], t)
        gradients: Params = []
        for i in reversed(range(len(params))):
            w = params[i][0]
            if linked and i == len(params) - 1:
                dz = share[:, None] * row.logit_gradient(zs[i], t)
            else:
                dz = ACTIVATIONS[self.activations[i]].backward(zs[i], dy)
            dw = (ys[i - 1] if i else x).T @ dz + penalty_scale * self.penalty_gradient(i, w)
            gradients.insert(0, (dw, dz.sum(axis=0)))
            dy = dz @ w.T
        return float(value + penalty_scale * self.penalty(params)), gradients


# Encodings of the columns of a table


def encode(raw: Array, specs: Sequence[Mapping[str, Any]]) -> Array:
    """Inputs made of columns: periodic ones first, the others in their order; NaN is missing."""
    parts = [_encoding(raw[:, spec["column"]], spec) for spec in specs]
    kinds = [spec["kind"] == "periodic" for spec in specs]
    first = [part for part, kind in zip(parts, kinds, strict=True) if kind]
    return np.hstack(first + [part for part, kind in zip(parts, kinds, strict=True) if not kind])


def _encoding(column: Array, spec: Mapping[str, Any]) -> Array:
    x = np.nan_to_num(column)[:, None]
    kind = spec["kind"]
    if kind == "scaled":
        return x / np.sqrt(1 + (x / 3) ** 2)
    if kind == "bins":
        edges = np.asarray(spec["first"])
        return np.clip((x - edges[:-1]) / np.diff(edges), 0, 1)
    if kind == "periodic":
        return np.cos(2 * np.pi * (x * np.asarray(spec["first"]) + np.asarray(spec["second"])))
    if kind == "one_hot":
        return spec.get("scale", 1.0) * (column[:, None] == np.arange(spec["codes"]))
    return np.isnan(column)[:, None].astype(float)
