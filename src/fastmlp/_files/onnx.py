"""The way to ONNX: a graph of plain operators, which any runtime of opset 17 has."""

from typing import TYPE_CHECKING, Any

from sklearn.pipeline import Pipeline

from fastmlp._files.onnx_graph import import_onnx
from fastmlp._files.onnx_networks import write_network
from fastmlp._files.onnx_pipelines import write_pipeline
from fastmlp._files.onnx_tables import write_table
from fastmlp._model.exclusive import as_it_is
from fastmlp.classifier import MLPClassifier
from fastmlp.network import Network
from fastmlp.regressor import MLPRegressor
from fastmlp.tabular import TabularClassifier, TabularRegressor

if TYPE_CHECKING:
    from onnx import ModelProto

_NETWORKS = (MLPClassifier, MLPRegressor, Network)
_TABLES = (TabularClassifier, TabularRegressor)


def to_onnx(
    estimator: MLPClassifier
    | MLPRegressor
    | Network
    | TabularClassifier
    | TabularRegressor
    | Pipeline,
    X: Any = None,
) -> "ModelProto":
    """Write a fitted network or ensemble as an ONNX model, which predicts the same, to rounding.

    A network has one input, `X`, of shape (n_samples, n_features) and the dtype of the network.

    An ensemble on tables has an input for each column that it uses, of shape (n_samples, 1), by
    the column's name, or its number where the table has none: float64 for numbers, with NaN for
    what is missing, and for dates, as seconds since 1970; strings for categories, empty where they
    are missing. Numbers and truths among the categories are written as 1, not as 1.0 or True. A
    name that an output has, too, or none, gets an underscore.

    A `Pipeline` that ends in an MLPClassifier or MLPRegressor has what comes before it inside,
    written by skl2onnx: an input `X` of numbers, or, where it begins with a ColumnTransformer of a
    frame, an input for each column, of shape (n_samples, 1), by its name.

    The outputs:

    - of a classifier, `label`, as `predict` gives it, and `probabilities`, as `predict_proba`
      does, or with ``loss='hinge'`` the `margins` of shape (n_samples, n_outputs);
    - of a regressor, `output`, as `predict` gives it, and with ``loss='gaussian'`` `std`, the
      standard deviations;
    - of a `Network`, `output`, as a call of it gives it.

    Parameters
    ----------
    estimator : object
        A fitted MLPClassifier, MLPRegressor, TabularClassifier or TabularRegressor, a fitted
        Pipeline that ends in one of the first two, or a Network. Labels must be numbers or strings.
    X : array-like or frame, default=None
        Samples for a pipeline, an array or a frame, whose columns' types the inputs get,
        but float32 for float64. Without them numbers are float32, and columns whose texts a step
        has learnt are strings.

    Returns
    -------
    model : onnx.ModelProto
        The model, of opset 17, for tables with that of ai.onnx.ml 3 for texts;
        ``onnx.save(model, path)`` writes it to a file. The activation 'gelu' is as exact as float32
        allows, in a float64 network too.

    Raises
    ------
    ImportError
        If onnx is not installed, or skl2onnx for a pipeline.
    TypeError
        If `estimator` is of another class, or a pipeline ends in one.
    ValueError
        If it is not fitted, its labels are of a type that ONNX lacks, or no column of the table was
        of use.
    """
    import_onnx()
    if isinstance(estimator, Pipeline):
        if not isinstance(estimator[-1], MLPClassifier | MLPRegressor):
            raise TypeError(
                f"The pipeline must end in an MLPClassifier or MLPRegressor; got {estimator[-1]!r}."
            )
        return write_pipeline(estimator, X)
    write: Any = next(
        (
            write
            for kinds, write in ((_NETWORKS, write_network), (_TABLES, write_table))
            if isinstance(estimator, kinds)
        ),
        None,
    )
    if write is None:
        names = ", ".join(kind.__name__ for kind in (*_NETWORKS, *_TABLES, Pipeline))
        raise TypeError(f"estimator must be one of {names}; got {estimator!r}.")
    model: ModelProto = write(as_it_is(estimator))  # while it may be training in another thread
    return model
