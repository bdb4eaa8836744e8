"""Settings of the documentation site; `.ci/run docs` builds it, without a network and with warnings as errors."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import reference_pages

import owlbus

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project, author, copyright = "owlbus", "owlbus contributors", "owlbus contributors"  # noqa: A001 - Sphinx reads this name
release = version = owlbus.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build", "search.md"]
html_theme = "furo"  # it loads nothing from elsewhere: no font, no script
html_title = f"owlbus {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "default"
default_role = "literal"
highlight_language = "text"
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 100
numpydoc_show_class_members = False


def setup(app: "Sphinx") -> None:
    """Write the reference pages before the site is read, and lead links on `search.md` to the page that includes it."""
    app.connect("builder-inited", lambda app: reference_pages.write(Path(app.srcdir) / "reference"))
    app.connect("source-read", _link_search)


def _link_search(_app: "Sphinx", _name: str, text: list[str]) -> None:
    """Name the page under which `search.md` stands: Sphinx writes its own search page to `search.html`, over any other."""
    text[0] = text[0].replace("](search.md", "](shape_search.md")
