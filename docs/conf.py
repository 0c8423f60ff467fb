"""How Sphinx builds the site: `make docs`."""

from __future__ import annotations

from pathlib import Path

import matplotlib

import neurosim

matplotlib.use("Agg")

ROOT = Path(__file__).parent.parent

project = "neurosim"
author = "the authors of neurosim"
copyright = "the authors of neurosim"
version = release = neurosim.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "examples", "gallery/*.ipynb", "gallery/*.py", "gallery/*.zip"]
nitpicky = True
# Types in docstrings are units and shapes, not classes; names of our own must lead somewhere.
nitpick_ignore_regex = [(r"py:(class|obj)", r"(?!neurosim\.).*")]

# ---- Markdown

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# ---- pages of the API

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # units and shapes stand in the text of the parameters
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_use_ivar = False
napoleon_use_rtype = False
default_role = "py:obj"

# ---- gallery

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "remove_config_comments": True,
    "min_reported_time": 600,
    "capture_repr": (),  # pictures and printed text alone
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
    "plot_gallery": True,
    "abort_on_example_error": True,
}

# ---- looks

html_theme = "furo"
html_title = f"neurosim {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
copybutton_exclude = ".linenos, .gp, .go"
