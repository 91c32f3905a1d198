"""The site: `sphinx-build -W docs site/html`; what is ours is in experiments.documentation."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

project = "widetheory"
html_title = "widetheory"
language = "en"
smartquotes = False  # "" is an empty text
extensions = ["myst_nb", "sphinx_copybutton", "experiments.documentation.site"]

myst_enable_extensions = ["dollarmath", "fieldlist"]
myst_heading_anchors = 4  # as GitHub names them

add_module_names = False
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

nb_execution_mode = "auto"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_output_stderr = "remove"  # compilers speak of the machine there

html_theme = "furo"
html_math_renderer = "mathml"
html_static_path = ["stylesheets"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
pygments_style = "default"
pygments_dark_style = "github-dark"
