"""Pipelines that end in a network: what comes before it is written by skl2onnx."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from fastmlp._files.onnx_graph import IR, OPSETS
from fastmlp._files.onnx_networks import write_network
from fastmlp._model.exclusive import as_it_is

if TYPE_CHECKING:
    from onnx import ModelProto


def write_pipeline(pipeline: Pipeline, X: Any) -> "ModelProto":
    """Write a pipeline; the types of the columns are those of X, or found in the steps."""
    skl2onnx = _import_skl2onnx()
    from onnx import compose

    check_is_fitted(pipeline)
    head, network = pipeline[:-1], write_network(as_it_is(pipeline[-1]))
    if len(head) == 0:
        return network
    types = {"X": _sample(X)} if X is not None else {"initial_types": _initial_types(pipeline)}
    first = skl2onnx.to_onnx(head, **types, target_opset=dict(OPSETS))
    first.ir_version = IR
    first = compose.add_prefix(first, "pipeline_", rename_inputs=False)
    (given,) = first.graph.output
    _cast(first, given, network.graph.input[0].type.tensor_type.elem_type)
    merged: ModelProto = compose.merge_models(first, network, [(given.name, "X")])
    return merged


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
            "to_onnx of a pipeline needs skl2onnx: pip install 'fastmlp[onnx]'."
        ) from error
    return skl2onnx


def _cast(model: "ModelProto", output: Any, to: int) -> None:
    """Let the output have the network's type."""
    from onnx import helper

    if output.type.tensor_type.elem_type == to:
        return
    inner = f"{output.name}_as_made"
    for node in model.graph.node:
        node.output[:] = [inner if name == output.name else name for name in node.output]
        node.input[:] = [inner if name == output.name else name for name in node.input]
    model.graph.node.append(helper.make_node("Cast", [inner], [output.name], to=to))
    output.type.tensor_type.elem_type = to


def _initial_types(pipeline: Pipeline) -> list[tuple[str, Any]]:
    """Return the inputs: numbers in one array, or a column each where columns are told apart."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    first = pipeline[0]
    if not (isinstance(first, ColumnTransformer) and hasattr(first, "feature_names_in_")):
        return [("X", FloatTensorType([None, pipeline.n_features_in_]))]
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
