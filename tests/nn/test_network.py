"""The core's network: forward, objective and gradients against NumPy and against differences."""

from itertools import product

import numpy as np
import pytest
from builders import build, network_type, random_params, targets_for
from loops import each
from numeric import assert_norm_close, directional_derivative
from reference import ACTIVATIONS, LOSSES, Mlp, RowActivation

from fastmlp import _core

HIDDEN = [row["name"] for row in _core.catalog()["activations"]]
OUTPUT = [
    (loss["name"], activation)
    for loss in _core.catalog()["losses"]
    for activation in HIDDEN
    if LOSSES[loss["name"]].suits(ACTIVATIONS[activation])
]
# Every loss behind every hidden activation, and behind every output activation.
CASES = [
    (hidden, row["name"], row["link"]) for hidden in HIDDEN for row in _core.catalog()["losses"]
]
CASES += [("tanh", *pair) for pair in OUTPUT if ("tanh", *pair) not in CASES]
WIDTHS = (6, 9, 5, 4)
NARROW = (20, 2, 24, 2)  # two layers of so few outputs that their weights lie transposed
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}

pytestmark = pytest.mark.usefixtures("use_target")


def smooth_rows(mlp, params, x, t, loss, margin=0.02):
    """Rows at which the kinks of the activations and of the loss are far away."""
    zs, ys = mlp.forward(x, params)
    distance = [LOSSES[loss].kink(ys[-1], t).min(axis=1)] + [
        np.abs(z - kink).min(axis=1)
        for name, z in zip(mlp.activations, zs, strict=True)
        for kink in ACTIVATIONS[name].kinks
    ]
    return np.min(distance, axis=0) > margin


def problem(rng, hidden, loss, output, *, widths=WIDTHS, penalised=True):
    """A network, its parameters, 25 rows of data and their weights."""
    l1, l2 = ((0.03, 0.0, 0.01), (0.0, 0.02, 0.05)) if penalised else ((), ())
    mlp = Mlp((hidden, hidden, output), l1, l2)
    # Weights far from zero, where |w| has a kink.
    params = [(w + 0.05 * np.sign(w), b) for w, b in random_params(rng, widths)]
    if hidden == "exp":  # exponentials of exponentials
        params = [(w / 8, b) for w, b in params]
    x = rng.normal(size=(2000, widths[0]))
    t = targets_for(loss, rng, len(x), widths[-1])
    rows = np.flatnonzero(smooth_rows(mlp, params, x, t, loss))[:25]
    return mlp, params, x[rows], t[rows], rng.uniform(0.1, 2, len(rows))


@each("widths", [(1, 1), (7, 3), (5, 8, 2), (64, 65, 33, 10), (3, 130, 1, 17)])
@each("rows", [1, 2, 7, 64, 300])
def test_forward_is_the_formula(dtype, rng, widths, rows):
    names = [HIDDEN[i % len(HIDDEN)] for i in range(len(widths) - 1)]
    mlp, params = Mlp(names), random_params(rng, widths)
    network = build(dtype, widths, mlp, params)
    x = rng.normal(size=(rows, widths[0]))
    actual, expected = network.forward(x), mlp.forward(x, params)
    for a_list, e_list in zip(actual, expected, strict=True):
        for a, e in zip(a_list, e_list, strict=True):
            assert a.dtype == dtype
            assert_norm_close(a, e, TOLERANCE[dtype])
    assert_norm_close(network.predict(x), expected[1][-1], TOLERANCE[dtype])


@each(
    ("widths", "rows"),
    [((300, 1100, 5), 60), ((5, 270, 1030), 40), ((300, 1030, 5), 260), ((600, 260, 5), 1040)],
)
def test_gradients_of_layers_with_many_panels(dtype, rng, widths, rows, several):
    """Their tasks read the columns of x from a copy; a thread begins anywhere in a row of tasks.

    Those of a layer whose dz takes more than 1 MiB have twice as many rows.
    """
    mlp, params = Mlp(["tanh", "identity"]), random_params(rng, widths)
    network = build(dtype, widths, mlp, params)
    x, t = rng.normal(size=(rows, widths[0])), rng.normal(size=(rows, widths[-1]))
    _, expected = mlp.loss_and_gradients(x, t, params, "mse")
    for n_threads in several:
        _, *actual, _ = network.loss_and_gradients(x, t, "mse", n_threads=n_threads)
        for dw, db, (exact_dw, exact_db) in zip(*actual, expected, strict=True):
            assert_norm_close(dw, exact_dw, 5 * TOLERANCE[dtype], f"dw, {n_threads} threads")
            assert_norm_close(db, exact_db, 5 * TOLERANCE[dtype], f"db, {n_threads} threads")


@each("widths", [WIDTHS, NARROW])
@each(("hidden", "loss", "output"), CASES, elsewhere=5)
def test_gradients_are_the_formula(dtype, rng, widths, hidden, loss, output):
    mlp, params, x, t, random_weight = problem(rng, hidden, loss, output, widths=widths)
    network = build(dtype, widths, mlp, params)
    tolerance = 5 * TOLERANCE[dtype]
    for weight in (None, random_weight):
        value, coef_grads, intercept_grads, _ = network.loss_and_gradients(x, t, loss, weight)
        expected, gradients = mlp.loss_and_gradients(x, t, params, loss, weight)
        assert value == pytest.approx(expected, rel=tolerance)
        for dw, db, exact in zip(coef_grads, intercept_grads, gradients, strict=True):
            assert_norm_close(dw, exact[0], tolerance, "dw")
            assert_norm_close(db, exact[1], tolerance, "db")


@each("widths", [WIDTHS, NARROW])
@each(("hidden", "loss", "output"), CASES, elsewhere=5)
def test_gradients_are_the_slope_of_the_objective(rng, widths, hidden, loss, output):
    mlp, params, x, t, weight = problem(rng, hidden, loss, output, widths=widths)
    network = build("float64", widths, mlp, params)
    _, coef_grads, intercept_grads, _ = network.loss_and_gradients(x, t, loss, weight)
    for _ in range(2):
        direction = random_params(rng, widths)

        def objective(s, direction=direction):
            pairs = list(zip(params, direction, strict=True))
            network.set_params(
                [w + s * u for (w, _), (u, _) in pairs], [b + s * v for (_, b), (_, v) in pairs]
            )
            return network.loss_and_gradients(x, t, loss, weight)[0]

        slope = sum(
            (dw * u).sum() + (db * v).sum()
            for dw, db, (u, v) in zip(coef_grads, intercept_grads, direction, strict=True)
        )
        assert directional_derivative(objective, 1e-3) == pytest.approx(slope, rel=1e-6, abs=1e-8)


@each("rows", [1, 63, 64, 65, 129, 1000, 8192, 20_001])
def test_gradients_over_many_rows(dtype, rng, rows):
    widths, mlp = (20, 70, 10), Mlp(("tanh", "softmax"))
    params = random_params(rng, widths)
    x, labels = rng.normal(size=(rows, 20)), rng.integers(0, 10, rows)
    network = build(dtype, widths, mlp, params)
    value, coef_grads, intercept_grads, _ = network.loss_and_gradients(x, labels, "cross_entropy")
    expected, gradients = mlp.loss_and_gradients(x, np.eye(10)[labels], params, "cross_entropy")
    assert value == pytest.approx(expected, rel=10 * TOLERANCE[dtype])
    for dw, db, (exact_dw, exact_db) in zip(coef_grads, intercept_grads, gradients, strict=True):
        assert_norm_close(dw, exact_dw, 10 * TOLERANCE[dtype])
        assert_norm_close(db, exact_db, 10 * TOLERANCE[dtype])


@each("loss", [name for name, row in LOSSES.items() if row.per_target == 1])
def test_labels_are_one_hot_targets(dtype, rng, loss):
    mlp, params, x, _, weight = problem(rng, "tanh", loss, "softmax")
    network = build(dtype, WIDTHS, mlp, params)
    labels = rng.integers(0, WIDTHS[-1], len(x))
    one_hot = np.eye(WIDTHS[-1])[labels]
    expected = network.loss_and_gradients(x, one_hot, loss, weight)[0]
    for kind in (np.int32, np.int64, np.uint8):
        assert network.loss_and_gradients(x, labels.astype(kind), loss, weight)[0] == expected


def test_weight_zero_is_a_missing_row(dtype, rng):
    mlp, params, x, t, _ = problem(rng, "relu", "mse", "identity")
    network = build(dtype, WIDTHS, mlp, params)
    weight = (np.arange(len(x)) % 3 > 0).astype(float)
    kept = weight > 0
    value, dw, *_ = network.loss_and_gradients(x, t, "mse", weight)
    expected, expected_dw, *_ = network.loss_and_gradients(x[kept], t[kept], "mse")
    assert value == pytest.approx(expected, rel=TOLERANCE[dtype])
    assert_norm_close(dw[0], expected_dw[0], TOLERANCE[dtype])


@pytest.mark.parametrize("activation", ["prelu", "gelu"])
def test_rows_of_a_later_block_have_their_gradient(dtype, rng, activation):
    """Gradients go by blocks of rows: here all but the last one have no weight."""
    network = network_type(dtype)(
        20,
        [
            _core.DenseSpec([(activation, 30, None)], l1=0.01, l2=0.02),
            _core.DenseSpec([("softmax", 10, None)], l2=0.03),
        ],
    )
    params = random_params(rng, (20, 30, 10))
    network.set_params([w for w, _ in params], [b for _, b in params])
    x, labels = rng.normal(size=(17_000, 20)), rng.integers(0, 10, 17_000)
    weight = np.r_[np.zeros(16_900), rng.uniform(0.5, 2, 100)]
    found = network.loss_and_gradients(x, labels, "cross_entropy", weight)
    last = slice(-100, None)
    exact = network.loss_and_gradients(x[last], labels[last], "cross_entropy", weight[last])
    assert found[0] == pytest.approx(exact[0], rel=10 * TOLERANCE[dtype])
    for arrays, exact_arrays in zip(found[1:], exact[1:], strict=True):
        for array, exact_array in zip(arrays, exact_arrays, strict=True):
            assert_norm_close(array, exact_array, 10 * TOLERANCE[dtype])


@each("bad", [np.nan, np.inf, -np.inf])
@each("cols", [1, 7, 16, 37, 66, 130])
def test_a_plain_prediction_finds_a_bad_number_wherever_it_is(dtype, rng, cols, bad):
    network = network_type(dtype)(cols, [_core.DenseSpec([("tanh", 2, None)])])
    gapless = rng.normal(size=(3, cols)).astype(dtype)
    with_gaps = rng.normal(size=(3, cols + 5)).astype(dtype)[:, :cols]
    for x in (gapless, with_gaps):
        assert network.predict_plain(x, 1) is not None
        for place in np.ndindex(x.shape):
            kept, x[place] = x[place], bad
            assert network.predict_plain(x, 1) is None, place
            x[place] = kept


@each(
    ("hidden", "rows", "widths", "rate"),
    product(
        ["relu", "tanh", "gelu"],
        [1, 16],
        [(300, 260, 200, 10), (500, 1100, 700, 3)],
        [0.0, 0.4],
    ),
    elsewhere=5,
)
def test_threads_that_share_columns_predict_the_same_bits(dtype, rng, hidden, rows, widths, rate):
    mlp = Mlp((hidden, hidden, "softmax"))
    params = random_params(rng, widths)
    network = build(dtype, widths, mlp, params, input_dropout=rate, dropout_mode="classic")
    x = rng.normal(size=(rows, widths[0]))
    alone = network.predict(x, n_threads=1)
    for _ in range(5):  # with 0, calls in quick succession: threads share all but the first
        np.testing.assert_array_equal(network.predict(x, n_threads=0), alone)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(network.predict(x, n_threads=n_threads), alone)


@pytest.mark.parametrize("widths", [(17, 33, 65, 10), (50, 3, 70, 2), (7, 130, 129, 1)])
def test_a_row_is_predicted_alike_alone_and_in_company(dtype, rng, widths):
    mlp = Mlp(("tanh", "relu", "softmax" if widths[-1] > 1 else "identity"))
    network = build(dtype, widths, mlp, random_params(rng, widths))
    x = rng.normal(size=(131, widths[0]))
    together = network.predict(x)
    alone = np.concatenate([network.predict(row[None]) for row in x])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(network.predict(x[::-1])[::-1], together)


def test_an_overflow_stays_in_its_unit(dtype):
    """What lies behind a layer's last unit is no part of the next one's sums."""
    large = np.finfo(dtype).max
    params = [
        (np.full((1, 17), large), np.zeros(17)),
        (np.full((17, 17), -1.0), np.zeros(17)),
        (np.ones((17, 1)), np.ones(1)),
    ]
    network = build(dtype, (1, 17, 17, 1), Mlp(("relu", "relu", "identity")), params)
    np.testing.assert_array_equal(network.predict(np.full((40, 1), 2.0)), np.ones((40, 1)))


def test_no_rows(dtype):
    network = network_type(dtype)(3, [_core.DenseSpec([("tanh", 2, None)])])
    with pytest.raises(ValueError, match=r"x has no rows"):
        network.predict(np.empty((0, 3)))


def test_params_round_trip(dtype, rng):
    widths = (7, 65, 1, 130)
    params = [(w.astype(dtype), b.astype(dtype)) for w, b in random_params(rng, widths)]
    network = build(dtype, widths, Mlp(("relu",) * 3), params)
    for _ in range(2):
        coefs, intercepts, slopes = network.get_params()
        for w, b, (exact_w, exact_b) in zip(coefs, intercepts, params, strict=True):
            np.testing.assert_array_equal(w, exact_w)
            np.testing.assert_array_equal(b, exact_b)
        assert [a.size for a in slopes] == [0, 0, 0]
        coefs[0][:] = intercepts[0][:] = 0  # fresh arrays: the network does not see this
    assert network.n_params == sum(w.size + b.size for w, b in params)
    assert (network.n_features, network.n_outputs) == (7, 130)


def test_params_are_copied_from_any_layout(dtype, rng):
    params = random_params(rng, (6, 4))
    w, b = params[0]
    x = rng.normal(size=(5, 6))
    expected = build(dtype, (6, 4), Mlp(("tanh",)), params).predict(x)
    network = build(dtype, (6, 4), Mlp(("tanh",)), [(np.asfortranarray(w), np.repeat(b, 2)[::2])])
    np.testing.assert_array_equal(network.predict(x), expected)


def test_a_new_network_is_zero(dtype):
    network = network_type(dtype)(
        3, [_core.DenseSpec([("relu", 5, None)]), _core.DenseSpec([("identity", 2, None)])]
    )
    assert not any(array.any() for arrays in network.get_params() for array in arrays)


def test_a_network_keeps_its_target(dtype, target):
    network = network_type(dtype)(3, [_core.DenseSpec([("relu", 5, None)])])
    _core.set_target("base")
    assert network.target == target


# Dropout


def test_predict_drops_nothing(dtype, rng):
    widths, params = (9, 20, 3), random_params(rng, (9, 20, 3))
    mlp, x = Mlp(("tanh", "identity")), rng.normal(size=(50, 9))
    dropped = build(dtype, widths, mlp, params, input_dropout=0.4, dropout_mode="inverted")
    np.testing.assert_array_equal(dropped.predict(x), build(dtype, widths, mlp, params).predict(x))


def test_classic_predict_multiplies_by_the_keep_probability(dtype, rng):
    widths, params = (9, 20, 3), random_params(rng, (9, 20, 3))
    mlp, x = Mlp(("tanh", "identity")), rng.normal(size=(50, 9))
    network = build(dtype, widths, mlp, params, input_dropout=0.4, dropout_mode="classic")
    scaled = [(0.6 * w, b) for w, b in params]
    expected = mlp.forward(x, scaled)[1][-1]
    assert_norm_close(network.predict(x), expected, TOLERANCE[dtype])


@pytest.mark.parametrize("mode", ["inverted", "classic"])
def test_masked_predictions_average_to_predict(dtype, rng, mode):
    widths, params = (40, 3), random_params(rng, (40, 3))
    x = rng.normal(size=(8, 40))
    network = build(dtype, widths, Mlp(("identity",)), params, input_dropout=0.3, dropout_mode=mode)
    samples = np.array([network.predict_masked(x, 5, i) for i in range(400)])
    error = samples.mean(axis=0) - network.predict(x)
    assert (np.abs(error) < 5 * samples.std(axis=0) / np.sqrt(len(samples))).all()
    np.testing.assert_array_equal(network.predict_masked(x, 5, 0), samples[0])
    assert (network.predict_masked(x, 6, 0) != samples[0]).any()
    assert (samples[1] != samples[0]).any()


@each("name", [n for n in HIDDEN if not isinstance(ACTIVATIONS[n], RowActivation)])
def test_reference_slopes_against_differences(name):
    z = np.array([-2.9, -0.7, 0.3, 2.0])
    for point in z:
        slope = directional_derivative(lambda s, p=point: ACTIVATIONS[name].value(np.array(p + s)))
        assert slope == pytest.approx(ACTIVATIONS[name].slope(np.array(point)), abs=1e-10)
