"""The picture of a graph: boxes apart, lines around them, values and gradients on it."""

import itertools
import sys

import numpy as np
import pytest

from fastmlp import graph
from fastmlp.graph._draw import lay_out


def random_graph(rng, size):
    return [
        [int(i) for i in rng.choice(node, size=min(node, int(rng.integers(0, 4))), replace=False)]
        if node
        else []
        for node in range(size)
    ]


def crosses(box, start, end):
    """Whether a segment enters the box (centre x, y; 1.3 wide, 1 high) beyond its edges."""
    t = np.linspace(0, 1, 50)
    x, y = start[0] + t * (end[0] - start[0]), start[1] + t * (end[1] - start[1])
    return bool(((abs(x - box[0]) < 0.64) & (abs(y - box[1]) < 0.49)).any())


@pytest.mark.parametrize("size", [1, 2, 6, 15, 40])
def test_layout(size):
    rng = np.random.default_rng(size)
    for _ in range(5):
        inputs = random_graph(rng, size)
        layout = lay_out(inputs)
        for a, b in itertools.combinations(layout.positions, 2):
            assert abs(a[0] - b[0]) >= 2 or abs(a[1] - b[1]) >= 1.2
        edges = [(source, node) for node, sources in enumerate(inputs) for source in sources]
        assert len(edges) == len(layout.routes)
        for (source, node), route in zip(edges, layout.routes, strict=True):
            assert layout.positions[source][0] < route[0][0] < layout.positions[node][0]
            for segment in itertools.pairwise(route):
                assert not any(crosses(box, *segment) for box in layout.positions)


def test_picture():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    x, y = graph.variable(3.0, "x"), graph.variable(4.0, "y")
    f = x**2 * y / graph.variable(2.0, "z")
    graph.draw(f)  # before there is any value
    f.forward().backward()
    figure, ax = plt.subplots()
    assert graph.draw(f, ax) is ax
    figure.canvas.draw()
    texts = {text.get_text() for text in ax.texts}
    assert {"x", "y", "z", "9", "36", "18", "12", "4.5", "-9", "0.5"} <= texts
    plt.close("all")


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="needs matplotlib"):
        graph.draw(graph.variable(1.0))
