"""Every public object has a complete numpydoc docstring: numpydoc's own checks, defaults that are
those of the signature, and fitted attributes that are described, no more and no fewer."""

import ast
import inspect
import re

import numpy as np
import pandas as pd
import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Perceptron, callbacks, data, graph

# What is not asked for. Everything else that numpydoc knows is.
NOT_NEEDED = {
    "GL01",  # a summary in the line after the quotes: it stands behind them, as PEP 257 has it
    "ES01",  # a text below the summary: one line often says it all
    "EX01",  # examples: the guide in docs/ has one for everything
    "SA01",  # "See Also": where there is something to see
    "RT02",  # results without a name: named ones, as scikit-learn has them, say more
}


def is_ours(member):
    """Whether it is a method or a property that was written here, and not in a library."""
    if not (callable(member) or isinstance(member, property)):
        return False
    function = member.fget if isinstance(member, property) else inspect.unwrap(member)
    return getattr(function, "__module__", "").startswith("fastmlp")


def public_objects():
    """The names and objects that users see, methods and properties included."""
    for module in (fastmlp, graph, callbacks, data):
        for name in module.__all__:
            item = getattr(module, name)
            if inspect.ismodule(item) or isinstance(item, str):
                continue
            path = f"{module.__name__}.{name}"
            yield path, item
            if inspect.isclass(item):
                for key, member in inspect.getmembers(item):
                    inherits = not member.__doc__ and inspect.getdoc(member)  # as help() shows it
                    if not key.startswith("_") and is_ours(member) and not inherits:
                        yield f"{path}.{key}", member


OBJECTS = dict(public_objects())
CALLABLES = {path: item for path, item in OBJECTS.items() if callable(item)}


def section(item, title):
    """Names and types of a section; a line may name several."""
    rows = NumpyDocString(inspect.getdoc(item))[title]
    return {name: row.type for row in rows for name in row.name.split(", ")}


def test_there_are_many():
    assert {"fastmlp.MLPClassifier.fit", "fastmlp.graph.relu", "fastmlp.Network.params"} <= set(
        OBJECTS
    )


@pytest.mark.parametrize("path", OBJECTS)
def test_numpydoc(path):
    errors = [(code, text) for code, text in validate(path)["errors"] if code not in NOT_NEEDED]
    assert not errors


@pytest.mark.parametrize("path", CALLABLES)
def test_parameters_and_their_defaults(path):
    """In the order of the signature, with the default values of it."""
    parameters = dict(inspect.signature(CALLABLES[path]).parameters)
    parameters.pop("self", None)
    described = section(CALLABLES[path], "Parameters")
    names = {("**" if p.kind is p.VAR_KEYWORD else "") + n: p for n, p in parameters.items()}
    assert list(described) == list(names)
    for name, parameter in names.items():
        text = re.search(r"default=(.+)$", described[name])
        has_default = parameter.default is not parameter.empty
        assert bool(text) == has_default, name
        if text:
            assert ast.literal_eval(text[1]) == parameter.default, name


# What the classifier and the regressor share but say differently: labels are stratified, have
# losses of their own, and are scored by the accuracy.
OF_LABELS = {"loss", "early_stopping", "scoring"}


@pytest.mark.parametrize("title", ["Parameters", "Attributes"])
def test_what_both_estimators_have_is_said_alike(title):
    classifier, regressor = (
        {row.name: (row.type, row.desc) for row in NumpyDocString(inspect.getdoc(kind))[title]}
        for kind in (MLPClassifier, MLPRegressor)
    )
    shared = (classifier.keys() & regressor.keys()) - OF_LABELS
    assert len(shared) > 15
    assert {name: classifier[name] for name in shared} == {name: regressor[name] for name in shared}


def fit(model, y, **arguments):
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=list("abc"))
    return model.fit(x, y, **arguments)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "model",
    [
        MLPClassifier(max_iter=2),
        MLPClassifier(max_iter=2, early_stopping=True),
        MLPClassifier(max_iter=2, solver="lbfgs"),
        MLPRegressor(max_iter=2),
        MLPRegressor(max_iter=2, early_stopping=True),
        MLPRegressor(max_iter=2, solver="lbfgs"),
        Perceptron(max_iter=2),
    ],
    ids=str,
)
def test_fitted_attributes(model):
    fitted = dir(fit(model, np.arange(40) % 3))
    ours = {name for name in fitted if name.endswith("_") and not name.startswith("_")}
    assert ours == set(section(type(model), "Attributes"))


@pytest.mark.parametrize(
    "item",
    [
        fastmlp.Network([fastmlp.Dense(3)], 2),
        graph.Optimizer([graph.variable(1.0)]),
        graph.variable(1.0),
        fastmlp.McCullochPitts([1.0], 1.0),
    ],
    ids=lambda item: type(item).__name__,
)
def test_other_attributes(item):
    """What is neither a parameter nor a property is described by the class."""
    kind = type(item)
    properties = {
        name
        for name, member in inspect.getmembers(kind)
        if isinstance(member, property) and inspect.getdoc(member)
    }
    described = {*section(kind, "Attributes"), *section(kind, "Parameters"), *properties}
    assert {name for name in getattr(item, "__dict__", ()) if not name.startswith("_")} <= described
