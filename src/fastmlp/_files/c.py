"""Networks as C99: one file of text that needs nothing but the mathematics library."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from fastmlp import _core
from fastmlp._checks.names import DEFAULTS
from fastmlp._model.architecture import LayerPlan
from fastmlp._model.exclusive import as_it_is
from fastmlp.classifier import MLPClassifier
from fastmlp.network import Network
from fastmlp.regressor import MLPRegressor

# What an element-wise activation makes of z, with the parameter p: in doubles, as C has it.
ACTIVATIONS = {
    "identity": "z",
    "logistic": "1 / (1 + exp(-z))",
    "tanh": "tanh(z)",
    "relu": "z > 0 ? z : 0",
    "leaky_relu": "z > 0 ? z : p * z",
    "prelu": "z > 0 ? z : p * z",
    "relu6": "z > 0 ? (z < 6 ? z : 6) : 0",
    "elu": "z > 0 ? z : p * expm1(z)",
    "selu": "1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * expm1(z))",
    "gelu": "z * erfc(-0.7071067811865476 * z) / 2",
    "silu": "z / (1 + exp(-z))",
    "mish": "z * tanh(z > 0 ? z + log1p(exp(-z)) : log1p(exp(z)))",
    "softplus": "z > 0 ? z + log1p(exp(-z)) : log1p(exp(z))",
    "softsign": "z / (1 + fabs(z))",
    "hard_sigmoid": "z > -3 ? (z < 3 ? (z + 3) / 6 : 1) : 0",
    "hard_tanh": "z > -1 ? (z < 1 ? z : 1) : -1",
    "exp": "exp(z)",
}
# Those of whole rows.
ROW_ACTIVATIONS = {
    "softmax": "y[i] = exp(y[i] - most) / sum",
    "log_softmax": "y[i] = y[i] - most - log(sum)",
}
_FUNCTION = re.compile(r"\b(exp|expm1|log|log1p|tanh|erfc|fabs|sqrt)\(")
_FRACTION = re.compile(r"\b\d+\.\d+\b")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NUMBERS_IN_A_LINE = 8
_DENSE = """\
static void {name}_dense(const {real} *x, int n, const {real} *w, const {real} *b, int m, {real} *y)
{{
    int i, j;
    for (j = 0; j < m; ++j) y[j] = b[j];
    for (i = 0; i < n; ++i)
        for (j = 0; j < m; ++j) y[j] += x[i] * w[(long)i * m + j];
}}
"""
_NORM = """\
static void {name}_normalize(const {real} *x, int n, {real} epsilon, {real} *y)
{{
    {real} mean = 0, variance = 0;
    int i;
    for (i = 0; i < n; ++i) mean += x[i] / ({real})n;
    for (i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean) / ({real})n;
    for (i = 0; i < n; ++i) y[i] = (x[i] - mean) / {sqrt}(variance + epsilon);
}}
"""
_ROW = """\
static void {name}_{activation}({real} *y, int n)
{{
    {real} most = y[0], sum = 0;
    int i;
    for (i = 1; i < n; ++i)
        if (y[i] > most) most = y[i];
    for (i = 0; i < n; ++i) sum += {exp}(y[i] - most);
    for (i = 0; i < n; ++i) {statement};
}}
"""
_NORMAL = """\
    for (i = 0; i < {targets}; ++i) y[i] = {source}[i];
    for (i = 0; i < {targets}; ++i) y[{targets} + i] = {exp}({source}[{targets} + i] / 2);
}}
"""
_QUANTILES = """\
    for (i = 0; i < {targets}; ++i) {{
        int at, j;
        for (at = 0; at < {quantiles}; ++at) {{
            const {real} next = {source}[at * {targets} + i];
            for (j = at; j > 0 && y[i * {quantiles} + j - 1] > next; --j)
                y[i * {quantiles} + j] = y[i * {quantiles} + j - 1];
            y[i * {quantiles} + j] = next;
        }}
    }}
}}
"""
_OF_ONE = """
/* The place of the label among the classes. */
int {name}_class(const {real} *x)
{{
    {real} y[{capital}_OUTPUTS];
    int i, best = 0;
    {name}_outputs(x, y);
    for (i = 1; i < {capital}_OUTPUTS; ++i)
        if (y[i] > y[best]) best = i;
    return best;
}}
"""
_OF_A_SIDE = """
/* The place of the label among the classes. */
int {name}_class(const {real} *x)
{{
    {real} y[{capital}_OUTPUTS];
    {name}_outputs(x, y);
    return y[{capital}_OUTPUTS - 1] > {boundary};
}}
"""
_OF_NONE = """
/* The place of the label among the classes, of which there is one. */
int {name}_class(const {real} *x)
{{
    (void)x;
    return 0;
}}
"""
_OF_SEVERAL = """
/* Whether a sample has each of the labels: 1 or 0 in the place of its class. */
void {name}_labels(const {real} *x, int *labels)
{{
    {real} y[{capital}_OUTPUTS];
    int i;
    {name}_outputs(x, y);
    for (i = 0; i < {capital}_OUTPUTS; ++i) labels[i] = y[i] > {boundary};
}}
"""


def to_c(estimator: MLPClassifier | MLPRegressor | Network, *, name: str = "model") -> str:
    """Write a fitted network as C99, which predicts the same, to rounding.

    The text is one file without dependencies but ``math.h``: for microcontrollers, and for every
    language that can call C. It allocates nothing; weights are constants, and two of the widest
    layers lie on the stack. Numbers are of the network's dtype.

    It has these functions, with ``model`` for `name`, for one sample `x` of `MODEL_FEATURES`
    numbers:

    - ``void model_outputs(const float *x, float *y)``: the `MODEL_OUTPUTS` numbers that
      `predict_proba` gives (with ``loss='hinge'`` the margins), or `predict` of a regressor (with
      ``loss='gaussian'`` the means and then the standard deviations), or a call of a `Network`;
    - of a classifier, ``int model_class(const float *x)``: the place of the label that `predict`
      gives among `classes_`, which are in ``model_classes`` where they are strings or numbers of 64
      bits; or for several labels at once ``void model_labels(const float *x, int *labels)``.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor or Network
        A fitted estimator, or a network.
    name : str, default="model"
        What all names in the text begin with; an identifier of C.

    Returns
    -------
    text : str
        The file.

    Raises
    ------
    TypeError
        If `estimator` is of another class.
    ValueError
        If it is not fitted, or `name` is no identifier.
    """
    if not isinstance(estimator, MLPClassifier | MLPRegressor | Network):
        raise TypeError(
            f"estimator must be an MLPClassifier, an MLPRegressor or a Network; got {estimator!r}."
        )
    if not (isinstance(name, str) and _IDENTIFIER.fullmatch(name)):
        raise ValueError(f"name must be an identifier of C, first a letter; got {name!r}.")
    if not isinstance(estimator, Network):
        check_is_fitted(estimator)
    estimator = as_it_is(estimator)  # while it may be training in another thread
    return _Writer(estimator, name).text()


@dataclass
class _Writer:
    """The file in the making."""

    estimator: Any
    name: str

    def __post_init__(self) -> None:
        estimator = self.estimator
        model = estimator._model if isinstance(estimator, Network) else estimator._ready_model()
        self.plan = model.architecture
        self.params = list(zip(self.plan.layers, *model.network.get_params(), strict=True))
        self.real = "float" if self.plan.dtype == "float32" else "double"
        self.names = {"name": self.name, "capital": self.name.upper(), "real": self.real}

    def text(self) -> str:
        """Return all of it."""
        return "".join(
            [
                *self._head(),
                *self._weights(),
                _DENSE.format(**self.names),
                *self._norm(),
                *self._activations(),
                *self._outputs(),
                *self._labels(),
            ]
        )

    def _head(self) -> Iterator[str]:
        kind, n = type(self.estimator).__name__, self.plan.n_features
        widths = "-".join(str(width) for width in (n, *(la.units for la in self.plan.layers)))
        capital = self.names["capital"]
        yield f"/* {kind} {widths}, by fastmlp {_core.__version__}. C99; link with -lm. */\n"
        yield "#include <math.h>\n\n"
        yield f"#define {capital}_FEATURES {n}\n#define {capital}_OUTPUTS {self._n_outputs()}\n\n"

    def _n_outputs(self) -> int:
        """Return how many numbers a prediction has: of a logistic output, those of no and yes."""
        last = self.plan.layers[-1]
        return 2 if self._gives_both() else last.units

    def _gives_both(self) -> bool:
        estimator = self.estimator
        return (
            isinstance(estimator, MLPClassifier)
            and self.plan.layers[-1].units == 1
            and estimator.out_activation_ != "identity"
        )

    def _weights(self) -> Iterator[str]:
        for k, (layer, w, b, slopes) in enumerate(self.params):
            if layer.dropout_mode == "classic":
                w = w * w.dtype.type(1 - layer.input_dropout)
            yield self._array(f"w{k}", w)
            yield self._array(f"b{k}", b)
            if layer.learns:
                yield self._array(f"p{k}", slopes)
        yield "\n"

    def _array(self, name: str, values: NDArray[Any]) -> str:
        numbers = [self._number(value) for value in values.ravel()]
        step = _NUMBERS_IN_A_LINE
        lines = [", ".join(numbers[at : at + step]) for at in range(0, len(numbers), step)]
        body = ",\n    ".join(lines)
        return f"static const {self.real} {self.name}_{name}[{len(numbers)}] = {{\n    {body}}};\n"

    def _number(self, value: Any) -> str:
        digits = 9 if self.real == "float" else 17
        return f"{float(value):.{digits - 1}e}" + ("f" if self.real == "float" else "")

    def _typed(self, expression: str) -> str:
        """Return an expression of doubles in the network's type."""
        if self.real == "double":
            return expression
        return _FRACTION.sub(r"\g<0>f", _FUNCTION.sub(r"\1f(", expression))

    def _norm(self) -> Iterator[str]:
        if any(layer.norm_epsilon for layer in self.plan.layers):
            yield "\n" + _NORM.format(**self.names, sqrt=self._typed("sqrt(")[:-1])

    def _activations(self) -> Iterator[str]:
        used = dict.fromkeys(part[0] for layer in self.plan.layers for part in layer.parts)
        for name in used:
            if name in ROW_ACTIVATIONS:
                statement = self._typed(ROW_ACTIVATIONS[name])
                exp = self._typed("exp(")[:-1]
                yield "\n" + _ROW.format(
                    **self.names, activation=name, statement=statement, exp=exp
                )
            elif name != "identity":
                expression = self._typed(ACTIVATIONS[name])
                p = f", {self.real} p" if re.search(r"\bp\b", expression) else ""
                yield (
                    f"\nstatic {self.real} {self.name}_{name}({self.real} z{p})\n"
                    f"{{\n    return {expression};\n}}\n"
                )

    def _outputs(self) -> Iterator[str]:
        layers = self.plan.layers
        widest = max(layer.units for layer in layers)
        if layers[0].norm_epsilon:
            widest = max(widest, self.plan.n_features)
        yield "\n/* The outputs for one sample. */\n"
        yield f"void {self.name}_outputs(const {self.real} *x, {self.real} *y)\n{{\n"
        yield f"    {self.real} a[2][{widest}];\n    int i;\n"
        source, n = "x", self.plan.n_features
        for k, (layer, _, _, _) in enumerate(self.params):
            to, other = f"a[{k % 2}]", f"a[{(k + 1) % 2}]"
            if layer.norm_epsilon:
                epsilon = self._number(layer.norm_epsilon)
                yield f"    {self.name}_normalize({source}, {n}, {epsilon}, {other});\n"
                source = other
            weights = f"{self.name}_w{k}, {self.name}_b{k}"
            yield f"    {self.name}_dense({source}, {n}, {weights}, {layer.units}, {to});\n"
            yield from self._activate(k, layer, to)
            source, n = to, layer.units
        if self._gives_both():
            yield f"    (void)i;\n    y[0] = 1 - {source}[0];\n    y[1] = {source}[0];\n}}\n"
        elif isinstance(self.estimator, MLPRegressor) and not self.estimator._codec.is_plain:
            codec = self.estimator._codec
            template = _NORMAL if codec.has_spread else _QUANTILES
            exp = self._typed("exp(")[:-1]
            numbers = {"targets": codec.n_targets, "quantiles": len(codec.quantiles), "exp": exp}
            yield template.format(**self.names, **numbers, source=source)
        else:
            yield f"    for (i = 0; i < {n}; ++i) y[i] = {source}[i];\n}}\n"

    def _activate(self, k: int, layer: LayerPlan, y: str) -> Iterator[str]:
        begin = 0
        for name, units, given in layer.parts:
            end = begin + units
            if name in ROW_ACTIVATIONS:
                yield f"    {self.name}_{name}({y}, {units});\n"
            elif name != "identity":
                p = ""
                if layer.learns:
                    p = f", {self.name}_p{k}[i]"
                elif name in DEFAULTS:
                    p = f", {self._number(DEFAULTS[name] if given is None else given)}"
                call = f"{self.name}_{name}({y}[i]{p})"
                yield f"    for (i = {begin}; i < {end}; ++i) {y}[i] = {call};\n"
            begin = end

    def _labels(self) -> Iterator[str]:
        estimator = self.estimator
        if not isinstance(estimator, MLPClassifier):
            return
        boundary = "0" if estimator.out_activation_ == "identity" else self._typed("0.5")
        if estimator._codec.is_multilabel:
            yield _OF_SEVERAL.format(**self.names, boundary=boundary)
            return
        classes = np.asarray(estimator.classes_)
        yield self._class_names(classes)
        template = _OF_ONE if estimator._codec.kind == "multiclass" else _OF_A_SIDE
        template = _OF_NONE if len(classes) == 1 else template
        yield template.format(**self.names, boundary=boundary)

    def _class_names(self, classes: NDArray[Any]) -> str:
        labels = classes.tolist()
        if all(isinstance(label, str) for label in labels):
            kind, values = "char *const", [_c_string(label) for label in labels]
        elif all(isinstance(label, bool | int) and abs(label) < 2**63 for label in labels):
            kind, values = "long long", [f"{int(label)}LL" for label in labels]
        elif all(isinstance(label, float) for label in labels):
            kind, values = "double", [f"{label:.16e}" for label in labels]
        else:
            return ""
        listed = ", ".join(values)
        return f"\nconst {kind} {self.name}_classes[{len(values)}] = {{{listed}}};\n"


def _c_string(text: str) -> str:
    """Return a literal of the text's UTF-8; what is not plain ASCII, as octal numbers."""
    plain = {byte: chr(byte) for byte in range(32, 127) if chr(byte) not in '"\\?'}
    return (
        '"'
        + "".join(
            plain.get(byte, f"\\{byte:03o}") for byte in text.encode("utf-8", "surrogatepass")
        )
        + '"'
    )
