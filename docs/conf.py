"""How the site is built: pages in Markdown, and a reference that is written anew from the code at each build."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from reference_pages import write_reference

project = "e2i_assets"
copyright = "the e2i_assets authors"
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]
# Sphinx has a page of its own by the name of search: ours stands in it as studies.md, which takes it in.
exclude_patterns = ["_site", "search.md"]
html_theme = "furo"
html_title = "e2i_assets"
html_show_sourcelink = False
# Nothing is fetched, neither while the site is built nor by who reads it.
html_theme_options = {"source_repository": "", "navigation_with_keys": True}


def setup(app):
    """Write the reference before the pages are read."""
    app.connect("builder-inited", lambda app: write_reference(Path(app.srcdir)))
