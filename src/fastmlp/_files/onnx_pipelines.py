"""Estimators of scikit-learn with networks inside: written by skl2onnx, which learns of ours."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from fastmlp._files.onnx_graph import IR, OPSETS
from fastmlp._files.onnx_networks import write_network
from fastmlp._model.exclusive import as_it_is
from fastmlp.classifier import MLPClassifier
from fastmlp.regressor import MLPRegressor

if TYPE_CHECKING:
    from onnx import ModelProto


def write_with_skl2onnx(estimator: Any, X: Any) -> "ModelProto":
    """Write an estimator of scikit-learn that has networks inside.

    The types of the columns are those of X, or found in the steps.
    """
    skl2onnx = _import_skl2onnx()
    check_is_fitted(estimator)
    _register(skl2onnx, estimator[-1] if isinstance(estimator, Pipeline) else estimator)
    types = {"X": _sample(X)} if X is not None else {"initial_types": _initial_types(estimator)}
    options = {"zipmap": False} if is_classifier(estimator) else None
    model: ModelProto = skl2onnx.to_onnx(
        estimator, **types, target_opset=dict(OPSETS), options=options
    )
    model.ir_version = IR
    return model


def _register(skl2onnx: Any, last: Any) -> None:
    """Let skl2onnx know how networks are written, wherever they stand.

    One that is the `last` step of the whole has the outputs that it has by itself; among others it
    has those that scikit-learn's estimators have there.
    """

    def parse(scope: Any, network: Any, inputs: Any, custom_parsers: Any = None) -> Any:
        return _declare(scope, network, inputs, alone=network is last)

    for kind in (MLPClassifier, MLPRegressor):
        skl2onnx.update_registered_converter(
            kind,
            f"Fastmlp{kind.__name__}",
            _no_shapes,
            _convert,
            parser=parse,
            options={"zipmap": [False]} if kind is MLPClassifier else None,
        )


def _no_shapes(operator: Any) -> None:
    """Say nothing of the shapes of outputs, which a network writes itself."""


def _declare(scope: Any, network: Any, inputs: Any, *, alone: bool) -> Any:
    """Declare the outputs of a network that is a step of a pipeline, or all there is."""
    from skl2onnx import get_model_alias

    operator = scope.declare_local_operator(get_model_alias(type(network)), network)
    operator.inputs.append(inputs[0])
    outputs = write_network(as_it_is(network)).graph.output
    inner = not alone and isinstance(network, MLPRegressor)
    for output in outputs[:1] if inner else outputs:
        tensor = _tensor_type(output.type.tensor_type)
        if inner and len(tensor.shape) == 1:
            tensor.shape = [None, 1]
        operator.outputs.append(scope.declare_local_variable(output.name, tensor))
    return operator.outputs


def _tensor_type(tensor: Any) -> Any:
    """Return what skl2onnx calls a type of ONNX: DoubleTensorType for DOUBLE."""
    from onnx import TensorProto
    from skl2onnx.common import data_types

    name = TensorProto.DataType.Name(tensor.elem_type).title()
    name = {"Bool": "Boolean"}.get(name, name.replace("Uint", "UInt"))
    shape = [None, *(each.dim_value for each in tensor.shape.dim[1:])]
    return getattr(data_types, f"{name}TensorType")(shape)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a network, whose outputs have the type and shape that skl2onnx expects."""
    from onnx import helper
    from onnx.numpy_helper import from_array
    from skl2onnx.common.data_types import guess_proto_type

    graph = write_network(as_it_is(operator.raw_operator)).graph
    names: dict[str, str] = {}

    def name_of(ours: str) -> str:
        return names.setdefault(ours, scope.get_unique_variable_name(ours))

    def add(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        version = OPSETS[attributes.get("op_domain", "")]
        name = scope.get_unique_operator_name(kind)
        container.add_node(kind, inputs, outputs, op_version=version, name=name, **attributes)

    (given,), (taken,) = operator.inputs, graph.input
    add("Cast", [given.full_name], [name_of(taken.name)], to=taken.type.tensor_type.elem_type)
    for constant in graph.initializer:
        constant.name = name_of(constant.name)
        container.initializers.append(constant)
    for node in graph.node:
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        inputs, outputs = ([name_of(name) for name in side] for side in (node.input, node.output))
        add(node.op_type, inputs, outputs, op_domain=node.domain, **attributes)
    # An operator among others has one output or two, as those of scikit-learn have.
    for ours, theirs in zip(graph.output, operator.outputs, strict=False):
        value = name_of(ours.name)
        if ours.name == "margins" and not theirs.raw_name.startswith("margins"):
            raise ValueError(
                "A classifier with loss='hinge' has no probabilities, which the estimator around "
                "it wants in ONNX."
            )
        is_vector = len(ours.type.tensor_type.shape.dim) == 1
        wants_column = not theirs.type.shape or len(theirs.type.shape) == 2
        if ours.name == "label":
            add("Identity", [value], [theirs.full_name])
            continue
        if is_vector and wants_column:
            column, axes = (scope.get_unique_variable_name(name) for name in ("column", "axes"))
            container.initializers.append(from_array(np.array([1]), axes))
            add("Unsqueeze", [value, axes], [column])
            value = column
        add("Cast", [value], [theirs.full_name], to=guess_proto_type(theirs.type))


def _sample(X: Any) -> Any:
    """Return a row, with float32 for float64, which runtimes lack much for."""
    row = X[:1].to_pandas() if hasattr(X, "to_pandas") else X[:1]
    if not hasattr(row, "columns"):
        return row.astype(np.float32) if row.dtype == np.float64 else row
    return row.astype({name: np.float32 for name in row.select_dtypes(np.float64)})


def _import_skl2onnx() -> Any:
    try:
        import skl2onnx
    except ImportError as error:
        raise ImportError(
            "to_onnx of an estimator of scikit-learn needs skl2onnx: pip install 'fastmlp[onnx]'."
        ) from error
    return skl2onnx


def _initial_types(estimator: Any) -> list[tuple[str, Any]]:
    """Return the inputs: numbers in one array, or a column each where columns are told apart."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    first = estimator[0] if isinstance(estimator, Pipeline) else estimator
    if not (isinstance(first, ColumnTransformer) and hasattr(first, "feature_names_in_")):
        return [("X", FloatTensorType([None, estimator.n_features_in_]))]
    texts = {
        int(place)
        for name, transformer, _ in first.transformers_
        if _takes_texts(transformer)
        for place in first._transformer_to_input_indices[name]
    }
    return [
        (str(name), (StringTensorType if place in texts else FloatTensorType)([None, 1]))
        for place, name in enumerate(first.feature_names_in_)
    ]


def _takes_texts(transformer: Any) -> bool:
    """Whether it has learnt texts: categories, or what takes the place of one that is missing."""
    if isinstance(transformer, Pipeline):
        return any(_takes_texts(step) for _, step in transformer.steps)
    learnt = [
        *getattr(transformer, "categories_", []),
        getattr(transformer, "statistics_", np.empty(0)),
    ]
    return any(np.asarray(values).dtype.kind in "OSU" for values in learnt)
