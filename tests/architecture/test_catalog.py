"""The catalog, its NumPy reference, and the pages that list it name the same things."""

import re
from pathlib import Path

import pytest
import reference

from fastmlp import _core

REPOSITORY = Path(__file__).parents[2]
CATALOG = _core.catalog()
REFERENCES = {
    "activations": reference.ACTIVATIONS,
    "losses": reference.LOSSES,
    "optimizers": reference.OPTIMIZERS,
}


def names(table):
    return [row["name"] for row in CATALOG[table]]


@pytest.mark.parametrize("table", list(REFERENCES))
def test_every_row_has_a_reference(table):
    assert set(names(table)) == set(REFERENCES[table])


@pytest.mark.parametrize("table", list(CATALOG))
def test_rows_are_those_of_the_source(table):
    """Each .def file holds one row per thing; no row is lost on the way to Python."""
    source = (REPOSITORY / "src" / "cpp" / "catalog" / f"{table}.def").read_text()
    rows = re.findall(r"^[A-Z]+\((\w+),", source, re.MULTILINE)
    assert set(names(table)) <= set(rows)
    if table != "targets":  # which depend on the architecture
        assert names(table) == rows


@pytest.mark.parametrize("table", list(CATALOG))
def test_every_row_is_explained_once(table):
    assert len(set(names(table))) == len(names(table))
    assert all(row["doc"].strip() for row in CATALOG[table])


def test_links_are_activations():
    for row in CATALOG["losses"]:
        assert row["link"] in names("activations")
        assert row["link"] == reference.LOSSES[row["name"]].link


def test_what_is_kept_follows_the_reference():
    for row in CATALOG["activations"]:
        by_row = isinstance(reference.ACTIVATIONS[row["name"]], reference.RowActivation)
        assert row["keeps"] in ({"row"} if by_row else {"output", "input"})


def test_some_target_runs_here():
    available = [row["name"] for row in CATALOG["targets"] if row["available"]]
    assert "base" in available
    assert _core.current_target() in available
