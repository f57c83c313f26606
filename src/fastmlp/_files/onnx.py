"""The way to ONNX: a graph of plain operators, which any runtime of opset 17 has."""

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from fastmlp._files.onnx_graph import import_onnx
from fastmlp._files.onnx_networks import write_network
from fastmlp._files.onnx_pipelines import write_with_skl2onnx
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
    | BaseEstimator,
    X: Any = None,
) -> "ModelProto":
    """Write a fitted network or ensemble as an ONNX model, which predicts the same, to rounding.

    A network has one input, `X`, of shape (n_samples, n_features) and the dtype of the network.

    An ensemble on tables has an input for each column that it uses, of shape (n_samples, 1), by
    the column's name, or its number where the table has none: float64 for numbers, with NaN for
    what is missing, and for dates, as seconds since 1970; strings for categories, empty where they
    are missing. Numbers and truths among the categories are written as 1, not as 1.0 or True. A
    name that an output has, too, or none, gets an underscore.

    Another estimator of scikit-learn, such as a `Pipeline` or a `StackingRegressor`, with networks
    inside is written by skl2onnx, which learns from here how these are: it has an input `X` of
    numbers, or, where it begins with a ColumnTransformer of a frame, an input for each column, of
    shape (n_samples, 1), by its name. A pipeline that ends in a network has the outputs of that.

    The outputs:

    - of a classifier, `label`, as `predict` gives it, and `probabilities`, as `predict_proba`
      does, or with ``loss='hinge'`` the `margins` of shape (n_samples, n_outputs);
    - of a regressor, `output`, as `predict` gives it, and with ``loss='gaussian'`` `std`, the
      standard deviations;
    - of a `Network`, `output`, as a call of it gives it.

    Parameters
    ----------
    estimator : object
        A fitted MLPClassifier, MLPRegressor, TabularClassifier or TabularRegressor, a Network, or
        another fitted estimator with some of the first two inside. Labels must be numbers or
        strings.
    X : array-like or frame, default=None
        Samples for another estimator, an array or a frame, whose columns' types the inputs get,
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
        If onnx is not installed, or skl2onnx for another estimator.
    TypeError
        If `estimator` is none of them.
    ValueError
        If it is not fitted, its labels are of a type that ONNX lacks, or no column of the table was
        of use.
    """
    import_onnx()
    if isinstance(estimator, Pipeline) and len(estimator) == 1:
        estimator = estimator[-1]
    write: Any = next(
        (
            write
            for kinds, write in ((_NETWORKS, write_network), (_TABLES, write_table))
            if isinstance(estimator, kinds)
        ),
        None,
    )
    is_foreign = not type(estimator).__module__.startswith("fastmlp.")
    if write is None and isinstance(estimator, BaseEstimator) and is_foreign:
        return write_with_skl2onnx(estimator, X)
    if write is None:
        names = ", ".join(kind.__name__ for kind in (*_NETWORKS, *_TABLES))
        raise TypeError(
            f"estimator must be one of {names}, or an estimator of scikit-learn with networks "
            f"inside; got {estimator!r}."
        )
    model: ModelProto = write(as_it_is(estimator))  # while it may be training in another thread
    return model
