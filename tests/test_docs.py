"""The Python in README.md and docs/ runs as it stands, block after block in one namespace for each
page; links lead somewhere, and the tests and scripts that the pages name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *GUIDE]
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```(?:\n\n```text\n(?P<output>.*?)^```)?", re.MULTILINE | re.DOTALL
)
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
REPOSITORY = re.compile(r"\(https://github\.com/fastmlp/fastmlp/(?:blob|tree)/main/([^)?#]+)")


def ids(page):
    return str(page.relative_to(ROOT))


def anchors(page):
    """The places in a page that a link can lead to, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_there_are_pages():
    assert GUIDE


def assert_alike(shown, printed):
    """The same words, and about the same numbers: the last digits depend on the CPU."""
    words = [NUMBER.sub("#", text).split() for text in (shown, printed)]
    assert words[0] == words[1], printed
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (shown, printed)]
    assert numbers[1] == pytest.approx(numbers[0], rel=0.3, abs=0.05), printed


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_python_runs(page, tmp_path, monkeypatch, capsys):
    """Each block, and where an output is shown behind it, that this is what it prints."""
    monkeypatch.chdir(tmp_path)
    text, namespace = page.read_text(encoding="utf-8"), {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        # Empty lines in front, so that errors name the line of the page.
        before = "\n" * text.count("\n", 0, block.start("code"))
        exec(compile(before + block["code"], str(page), "exec"), namespace)
        printed = capsys.readouterr().out
        if block["output"] is not None:
            assert_alike(block["output"], printed)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page):
    for file, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        assert target.exists(), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_to_the_repository_lead_somewhere(page):
    """They are absolute where the page is shown elsewhere, as README.md is on a package index."""
    for place in REPOSITORY.findall(page.read_text(encoding="utf-8")):
        assert (ROOT / place).exists(), place


def test_the_readme_has_no_relative_links():
    assert not LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_named_tests_and_scripts_exist(page):
    named = re.findall(r"`((?:tests|examples|src)/[\w/.]+?)(?:::(\w+))?`", page.read_text("utf-8"))
    for path, function in named:
        assert (ROOT / path).exists(), path
        if function:
            assert f"def {function}(" in (ROOT / path).read_text("utf-8"), f"{path}::{function}"


def test_the_index_leads_to_every_page():
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / target).resolve() for target, _ in LINK.findall(index.read_text("utf-8"))
    }
    contents = {page.resolve() for page in GUIDE if "```{toctree}" in page.read_text("utf-8")}
    contents -= linked  # those of the site alone, of which the index has more to say
    assert linked == {page.resolve() for page in GUIDE} - {index.resolve()} - contents
