"""`class_weight` is a factor on the sample weights."""

import numpy as np
import pytest
from samples import SMALL, classes, labels
from sklearn.utils.class_weight import compute_sample_weight

from fastmlp import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def same(a, b):
    return all(np.array_equal(*pair) for pair in zip(a.coefs_, b.coefs_, strict=True))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("data", "class_weight"),
    [
        (classes, "balanced"),
        (lambda: classes(k=2), {"ant": 2, "bee": 0.5}),
        (classes, {"ant": 2, "bee": 0.5, "cow": 0}),
        (labels, "balanced"),
        (labels, [{0: 1, 1: 3}, {0: 2, 1: 1}, {0: 1, 1: 1}]),
    ],
)
def test_it_multiplies_sample_weight(data, class_weight, weighted, solver):
    x, y = data()
    weight = np.linspace(0.5, 2, len(x)) if weighted else np.ones(len(x))
    settings = SMALL | {"solver": solver}
    model = MLPClassifier(**settings, class_weight=class_weight).fit(x, y, weight)
    product = weight * compute_sample_weight(class_weight, y)
    assert same(model, MLPClassifier(**settings).fit(x, y, product))
    assert not same(model, MLPClassifier(**settings).fit(x, y, weight))


def test_a_label_that_is_not_in_the_dict_weighs_one():
    x, y = classes()
    model = MLPClassifier(**SMALL, class_weight={"bee": 4}).fit(x, y)
    assert same(model, MLPClassifier(**SMALL).fit(x, y, np.where(y == "bee", 4, 1)))


def test_partial_fit_takes_a_dict_and_any_labels():
    x, y = classes()
    names = ["ant", "bee", "cow"]
    model = MLPClassifier(**SMALL, class_weight={"ant": 3, "bee": 2})
    other = MLPClassifier(**SMALL)
    for chosen in (["ant", "cow"], ["cow"], ["bee", "cow"]):
        rows = np.isin(y, chosen)
        weight = np.select([y == "ant", y == "bee"], [3, 2], 1)[rows]
        model.partial_fit(x[rows], y[rows], classes=names)
        other.partial_fit(x[rows], y[rows], weight, classes=names)
    assert same(model, other)
    with pytest.raises(ValueError, match=r"class_weight='balanced'.*partial_fit"):
        MLPClassifier(class_weight="balanced").partial_fit(x, y, classes=names)


@pytest.mark.parametrize(
    ("data", "class_weight"),
    [
        (classes, "fair"),
        (classes, 3),
        (classes, [{0: 1}]),
        (classes, {"ant": -1}),
        (classes, {"ant": np.nan}),
        (classes, {"dog": 1}),
        (labels, {0: 1, 1: 2}),
        (labels, [{0: 1, 1: 2}]),
        (labels, [1, 2, 3]),
    ],
)
def test_what_is_refused(data, class_weight):
    with pytest.raises(ValueError, match=r"class_weight"):
        MLPClassifier(**SMALL, class_weight=class_weight).fit(*data())


def test_weights_that_are_all_zero():
    x, y = classes()
    with pytest.raises(ValueError, match=r"non-zero"):
        MLPClassifier(**SMALL, class_weight={"ant": 0, "bee": 0, "cow": 0}).fit(x, y)
