"""Pictures as files that are the same on every machine: one look, no time, no settings of others.

A matplotlibrc of the user's, a style sheet that a notebook has set and the backend that it names
change nothing: all settings are matplotlib's own defaults and those of `style.RC`.
"""

import contextlib
import logging
import pathlib
import warnings
from collections.abc import Callable, Iterator

import matplotlib
from matplotlib.figure import Figure

from experiments.figures import style
from experiments.files import writing

PICTURES = {  # file type → what keeps the time out of the file
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Settings for all that is drawn and saved inside; what they were comes back.

    Words of a user's in letters that no font has are drawn as boxes, and nothing is said of it.
    """
    fonts = logging.getLogger("matplotlib.font_manager")
    level = fonts.level
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style.RC)
        fonts.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            fonts.setLevel(level)


def save(draw: Callable[[], Figure], out: pathlib.Path, name: str) -> None:
    """Writes NAME.png, .svg and .pdf of what is drawn; OSError if it cannot."""
    with styled():
        picture = draw()
        for kind, metadata in PICTURES.items():
            writing.replace(
                out / f"{name}.{kind}",
                lambda file, kind=kind, metadata=metadata: picture.savefig(
                    file, format=kind, metadata=metadata
                ),
            )
