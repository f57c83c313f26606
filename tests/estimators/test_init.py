"""`init`: the starting weights of the estimators and of `Dense`."""

import numpy as np
import pytest
from samples import SMALL, classes, numbers
from sklearn import neural_network
from sklearn.base import clone

import fastmlp
from fastmlp import Dense, MLPClassifier, MLPRegressor, Network

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FANS = (300, 200)
# Training that leaves the weights where they start: a step of Adam is no longer than the rate.
STILL = {"max_iter": 1, "learning_rate_init": 1e-30, "dtype": "float64", "random_state": 0}

# The variance of the weights with those fans, and whether it is a uniform distribution.
LAWS = {
    "glorot_uniform": (2 / 500, True),
    "glorot_normal": (2 / 500, False),
    "he_uniform": (2 / 300, True),
    "he_normal": (2 / 300, False),
    "lecun_uniform": (1 / 300, True),
    "lecun_normal": (1 / 300, False),
    "uniform": (0.05**2 / 3, True),
    "uniform(0.3)": (0.3**2 / 3, True),
    "uniform(bound=0.3)": (0.3**2 / 3, True),
    "normal": (0.05**2, False),
    "normal(std=2)": (4.0, False),
}


def drawn(init, fans=FANS, random_state=0):
    """The weights that a `Dense` layer starts with."""
    layer = Dense(fans[1], init=init)
    return Network([layer], fans[0], random_state=random_state, dtype="float64").params[0][0]


def started(kind, data=None, **settings):
    """An estimator whose weights are those it began with."""
    x, y = (classes if kind is MLPClassifier else numbers)() if data is None else data
    return kind(**STILL | settings).fit(x, y)


@pytest.mark.parametrize("init", LAWS)
def test_laws(init):
    """Five standard errors: a normal sample of n has the relative error sqrt(2 / n) of its
    variance, and a uniform one less."""
    variance, uniform = LAWS[init]
    w = drawn(init).ravel()
    assert abs(w.mean()) < 5 * np.sqrt(variance / w.size)
    assert w.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / w.size))
    bound = np.sqrt(3 * variance)
    if uniform:  # the largest of 60000 falls short by 1 / 60000 of the range, on average
        assert bound * (1 - 1e-3) < np.abs(w).max() <= bound
    else:  # beyond the bound are 8.3 % of a normal sample, with a standard error of 0.11 %
        assert (np.abs(w) > bound).mean() == pytest.approx(0.0833, abs=0.006)


@pytest.mark.parametrize("fans", [(40, 40), (40, 25), (25, 40), (1, 9), (9, 1)])
@pytest.mark.parametrize(("init", "gain"), [("orthogonal", 1.0), ("orthogonal(gain=1.5)", 1.5)])
def test_orthogonal(fans, init, gain):
    w = drawn(init, fans)
    product = w @ w.T if fans[0] < fans[1] else w.T @ w
    np.testing.assert_allclose(product, gain**2 * np.eye(min(fans)), atol=1e-14 * max(fans))


def test_orthogonal_matrices_have_no_preferred_direction():
    """The sign of each element is as likely one as the other; a bare QR favours one on the
    diagonal. Of 400 there are 200 in the mean, and the standard error is 10."""
    diagonal = [np.diagonal(drawn("orthogonal", (4, 4), seed)) for seed in range(100)]
    assert abs((np.array(diagonal) > 0).sum() - 200) < 50


@pytest.mark.parametrize("init", ["auto", *LAWS, "orthogonal"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_seed_gives_the_same_bits(kind, init):
    one, same, other = (started(kind, init=init, random_state=seed) for seed in (1, 1, 2))
    single = started(kind, init=init, random_state=1, dtype="float32")
    for i, w in enumerate(one.coefs_):
        np.testing.assert_array_equal(w, same.coefs_[i])
        np.testing.assert_array_equal(w.astype("float32"), single.coefs_[i])
        assert (w != other.coefs_[i]).any()


@pytest.mark.parametrize("init", LAWS)
def test_estimators_draw_as_the_layer_does(init):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(3, FANS[0])), rng.normal(size=3)
    model = started(MLPRegressor, data, init=init, hidden_layer_sizes=FANS[1:])
    np.testing.assert_array_equal(model.coefs_[0], drawn(init))


@pytest.mark.parametrize("activation", ["relu", "logistic"])
def test_auto_is_the_rule_of_scikit_learn(activation):
    x, y = numbers()
    settings = {key: value for key, value in STILL.items() if key != "dtype"}
    theirs = neural_network.MLPRegressor(activation=activation, **settings).fit(x, y)
    ours = started(MLPRegressor, activation=activation)
    for a, b in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-29)
    same = started(MLPRegressor, activation=activation, init="glorot_uniform")
    assert np.array_equal(same.coefs_[0], ours.coefs_[0]) == (activation == "relu")


@pytest.mark.parametrize("init", ["he_normal", "orthogonal"])
def test_biases_are_those_of_scikit_learn(init):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(3, 4)), rng.normal(size=3)
    biases = started(MLPRegressor, data, init=init, hidden_layer_sizes=(2000,)).intercepts_[0]
    bound = np.sqrt(6 / 2004)
    assert bound * 0.99 < np.abs(biases).max() <= bound
    network = Network([Dense(5, init=init)], 4, random_state=0)
    assert not network.params[0][1].any()


def test_each_layer_has_its_own():
    layers = [Dense(200, "relu", init="he_normal"), Dense(50, init="normal(0.001)")]
    first, second = (w for w, _ in Network(layers, 300, random_state=0).params)
    # Five standard errors, as in test_laws; a standard deviation has half that of a variance.
    assert first.var() == pytest.approx(2 / 300, rel=5 * np.sqrt(2 / first.size))
    assert second.std() == pytest.approx(0.001, rel=5 * np.sqrt(1 / (2 * second.size)))


@pytest.mark.parametrize(
    ("init", "match"),
    [
        ("xavier", r"init must be one of .*'glorot_uniform'.*; got 'xavier'"),
        ("he_normal(2)", r"'he_normal' takes no parameter"),
        ("auto(2)", r"'auto' takes no parameter"),
        ("normal(-1)", r"std must be a finite number >= 0"),
        ("normal(bound=1)", r"the parameter of 'normal' is 'std'"),
        (None, r"init"),
        (3, r"init"),
    ],
)
def test_what_is_refused(init, match):
    with pytest.raises(ValueError, match=match):
        MLPRegressor(**SMALL, init=init).fit(*numbers())
    if init != "auto(2)":
        with pytest.raises(ValueError, match=match):
            Dense(3, init=init)
    with pytest.raises(ValueError, match=r"init must be one of"):
        Dense(3, init="auto")


def test_copies_and_files_know_it(tmp_path):
    model = MLPRegressor(**SMALL, init="orthogonal(1.2)")
    assert clone(model).get_params()["init"] == "orthogonal(1.2)"
    x, y = numbers()
    fastmlp.save(model.fit(x, y), tmp_path / "model")
    assert fastmlp.load(tmp_path / "model").init == "orthogonal(1.2)"
    network = Network([Dense(3, init="he_normal")], 4)
    fastmlp.save(network, tmp_path / "network")
    assert fastmlp.load(tmp_path / "network").layers == network.layers


def test_the_optimizer_goes_on_when_init_changes():
    x, y = numbers()
    model, same = (MLPRegressor(**SMALL).partial_fit(x, y) for _ in range(2))
    model.set_params(init="he_normal").partial_fit(x, y)
    same.partial_fit(x, y)
    np.testing.assert_array_equal(model.coefs_[0], same.coefs_[0])
