"""What the documentation site does beyond its generator: an extension of Sphinx.

Formulas become MathML while pages are built, and a build fails on one that cannot be shown; titles
of files above blocks of code become captions; pictures of the gallery lead to themselves in full.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from experiments.documentation import api, mathematics

if TYPE_CHECKING:  # what tests of this file do not need
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

TITLED = re.compile(r'^```(\w+) title="(.*)"\n', re.M)
GALLERY = "gallery"


def with_captions(text: str) -> str:
    """Blocks of code that name their file, as GitHub shows them, with it as a caption."""
    return TITLED.sub(r"```{code-block} \1\n:caption: \2\n\n", text)


def setup(app: "Sphinx") -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer(
        "mathml", (_draws(mathematics.inline), None), (_draws(mathematics.block), None)
    )
    app.connect("source-read", _read)
    app.connect("doctree-read", _thumbnails)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read(app: "Sphinx", page: str, source: list[str]) -> None:
    source[0] = with_captions(api.with_names(source[0]))


def _draws(draw: Callable[[str], str]) -> "Callable[[HTML5Translator, nodes.Element], NoReturn]":
    def visit(translator: "HTML5Translator", node: "nodes.Element") -> NoReturn:
        from docutils import nodes

        translator.body.append(draw(node.astext()))
        raise nodes.SkipNode

    return visit


def _thumbnails(app: "Sphinx", doctree: "nodes.document") -> None:
    """What has a width is linked to the whole picture, by Sphinx."""
    from docutils import nodes

    if app.env.docname == GALLERY:
        for picture in doctree.findall(nodes.image):
            picture["width"] = "100%"
