"""The chain rule on the lecture's example and on expressions that use a node several times."""

import numpy as np
import pytest

from fastmlp import graph


def test_the_lectures_example():
    x, y, z = graph.variable(3.0), graph.variable(4.0), graph.variable(2.0)
    v = x**2
    u = v * y
    f = u / z
    f.forward()
    f.backward()
    assert (v.value, u.value, f.value) == (9, 36, 18)
    assert (x.grad, y.grad, z.grad) == (12, 4.5, -9)
    assert (f.grad, u.grad, v.grad) == (1, 0.5, 2)  # 1, 1 / z, y / z
    assert all(isinstance(number, float) for number in (f.value, x.grad, u.grad))


def test_gradients_of_a_node_used_twice_add_up():
    x = graph.variable(3.0)
    f = x * x * x + x
    f.forward().backward()
    assert f.value == 30
    assert x.grad == 28


def test_gradients_start_from_zero_each_time():
    x = graph.variable(3.0)
    f = x * x
    for _ in range(3):
        f.forward().backward()
    assert x.grad == 6


def test_new_data_need_a_new_forward():
    x, y = graph.variable(3.0), graph.constant(2.0)
    f = x * y
    f.forward().backward()
    x.value = 5.0
    assert f.value == 6
    with pytest.raises(RuntimeError, match=r"call forward\(\) first"):
        f.backward()
    y.value = 4
    f.forward().backward()
    assert (f.value, x.grad, y.grad) == (20, 4, None)


def test_graphs_may_share_nodes():
    x = graph.variable(2.0)
    shared = graph.exp(x)
    f, g = shared * 3.0, shared**2
    f.forward()
    g.forward()
    f.backward()
    assert x.grad == pytest.approx(3 * np.exp(2))
    g.backward()
    assert x.grad == pytest.approx(2 * np.exp(4))


def test_a_shape_may_change():
    x = graph.variable(np.arange(3.0))
    f = graph.sum(x * np.array([[1.0], [2.0]]))
    for shape in [(3,), (2, 4), (1, 1), (2, 70), ()]:
        x.value = np.ones(shape)
        f.forward().backward()
        assert f.value == (np.ones(shape) * [[1], [2]]).sum()
        assert np.shape(x.grad) == shape


def test_values_are_copies():
    data = np.ones(3)
    x = graph.variable(data)
    data[:] = 2
    x.value[:] = 3
    np.testing.assert_array_equal(x.value, np.ones(3))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types(dtype):
    x = graph.variable(np.ones((2, 3), dtype))
    f = 2 * x / np.float64(3) + np.ones(3) - [1]
    f.forward().backward(np.ones((2, 3)))
    assert x.dtype == f.dtype == dtype
    assert f.value.dtype == x.grad.dtype == dtype
    assert graph.variable(1).dtype == graph.variable([1, 2]).dtype == "float64"
    assert graph.constant(np.ones(2, np.int8)).dtype == "float64"
    assert graph.variable(1.0, dtype=dtype).dtype == dtype


def test_arrays_on_the_left():
    x = graph.variable(np.array([1.0, 2.0]))
    m = np.array([[1.0, 2.0], [3.0, 4.0]])
    for f, expected in [
        (m + x, m + x.value),
        (m - x, m - x.value),
        (m * x, m * x.value),
        (m / x, m / x.value),
        (m**x, m**x.value),
        (m @ x, m @ x.value),
    ]:
        assert isinstance(f, graph.Node)
        np.testing.assert_allclose(f.forward().value, expected, rtol=1e-15)


def test_a_chain_longer_than_the_stack():
    x = graph.variable(1.0)
    f = x
    for _ in range(200_000):
        f = f + x
    f.forward().backward()
    assert f.value == x.grad == 200_001
    del f


def test_gradient_of_an_array_is_given():
    x = graph.variable(np.array([1.0, 2.0, 3.0]))
    f = x**2
    f.forward()
    with pytest.raises(ValueError, match="give `gradient`"):
        f.backward()
    with pytest.raises(ValueError, match=r"gradient must have the shape \(3,\)"):
        f.backward(np.ones(2))
    f.backward([1, 0, 2])
    np.testing.assert_array_equal(x.grad, [2, 0, 12])


def test_only_what_depends_on_a_variable_has_a_gradient():
    x, c = graph.variable(1.0), graph.constant(2.0)
    assert (x.requires_grad, c.requires_grad) == (True, False)
    assert ((x * c).requires_grad, (c * c).requires_grad) == (True, False)
    f = x * (c * c)
    f.forward().backward()
    assert c.grad is None
    with pytest.raises(ValueError, match="depends on no variable"):
        (c * c).forward().backward()


def test_slopes_of_powers_at_zero():
    x, y = graph.variable(np.zeros(3)), graph.variable(np.array([0.0, 1.0, 2.5]))
    f = x**y
    f.forward().backward(np.ones(3))
    np.testing.assert_array_equal(f.value, [1, 0, 0])
    np.testing.assert_array_equal(x.grad, [0, 1, 0])
    np.testing.assert_array_equal(y.grad, [0, 0, 0])


def test_infinities_are_those_of_numpy():
    x = graph.variable(np.array([0.0, -1.0, 1000.0]))
    with np.errstate(all="ignore"):
        for f, expected in [
            (graph.log(x), np.log(x.value)),
            (graph.exp(x), np.exp(x.value)),
            (1 / x, 1 / x.value),
        ]:
            np.testing.assert_allclose(f.forward().value, expected, rtol=1e-15)
