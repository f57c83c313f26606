"""The documentation site: ``sphinx-build -W docs build/site``."""

import posixpath
import re
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

project = "fastmlp"
author = "The fastmlp developers"
copyright = author
release = version_of("fastmlp")
version = release

REPOSITORY = "https://github.com/fastmlp/fastmlp"
ROOT = Path(__file__).parents[1]

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["README.md"]  # the index of who reads the pages in the repository
nitpicky = False

# Pages

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# API reference

autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False  # which autodoc shows in full
intersphinx_mapping: dict[str, Any] = {}  # builds need no network

# Gallery: each example is a script that runs by itself; -D plot_gallery=0 leaves them unrun.

sphinx_gallery_conf = {
    "examples_dirs": ["../examples/gallery"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": "/plot_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "min_reported_time": 10_000,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
}

# Appearance

html_theme = "pydata_sphinx_theme"
html_title = "fastmlp documentation"
html_static_path = ["_static"]
html_css_files = ["fastmlp.css"]
html_show_sourcelink = False
html_theme_options = {
    "icon_links": [
        {"name": "Source", "url": REPOSITORY, "icon": "fa-brands fa-github", "type": "fontawesome"}
    ],
    "logo": {"text": "fastmlp"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
}
html_sidebars = {"index": [], "start": [], "api": []}


class LinksToTheRepository(SphinxTransform):
    """Let links to files outside the pages lead to the repository.

    Pages are read there, too, where such links are relative.
    """

    default_priority = 5

    def apply(self, **_: Any) -> None:
        """Change the links of a page."""
        for link in list(self.document.findall(addnodes.pending_xref)):
            place = self.place_of(link)
            if place is None:
                continue
            if place == "examples/gallery":  # which has pages of its own here
                folder = posixpath.dirname(self.env.docname) or "."
                uri = posixpath.relpath("gallery/index.html", folder)
            else:
                kind = "tree" if (ROOT / place).is_dir() else "blob"
                anchor = link.get("reftargetid")
                uri = f"{REPOSITORY}/{kind}/main/{place}" + (f"#{anchor}" if anchor else "")
            link.replace_self(nodes.reference("", "", *link.children, refuri=uri))

    def place_of(self, link: addnodes.pending_xref) -> str | None:
        """Return the path from the repository's root that a link leads to; None to a page."""
        target = link["reftarget"]
        if link.get("refdomain") == "doc":  # by MyST's name of a Markdown file
            file = Path(f"{target}.md")
            return str(file.relative_to(ROOT)) if file.is_absolute() else None
        if link.get("refdomain") or "://" in target:
            return None
        place = posixpath.normpath(
            posixpath.join("docs", posixpath.dirname(self.env.docname), target)
        )
        return place if (ROOT / place).exists() else None


def without_foreign_labels(*told: Any) -> None:
    """Turn labels of scikit-learn's pages, in docstrings that are inherited, into plain text."""
    lines = told[-1]
    lines[:] = [re.sub(r":(?:ref|term):`([^<`]*?)(?:\s*<[^`]*>)?`", r"\1", line) for line in lines]


def setup(app: Any) -> None:
    """Add what this site needs to Sphinx."""
    app.add_transform(LinksToTheRepository)
    app.connect("autodoc-process-docstring", without_foreign_labels)
