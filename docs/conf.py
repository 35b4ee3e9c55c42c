"""The site: Sphinx with MyST and furo, everything from this folder, nothing from a network."""

import sys
from pathlib import Path

import roofcube

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "roofcube"
author = "the roofcube founders"
project_copyright = "2026, the roofcube founders"
release = roofcube.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "roofcube_pages"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_ext", "_pictures"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

# docstrings put names in single backticks
default_role = "code"
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_title = f"roofcube {release}"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1a5a8a", "color-brand-content": "#1a5a8a"},
    "dark_css_variables": {"color-brand-primary": "#7ab8e6", "color-brand-content": "#7ab8e6"},
}
pygments_style = "xcode"
pygments_dark_style = "github-dark"
