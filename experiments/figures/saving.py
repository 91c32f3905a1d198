"""Pictures as files that are the same on every machine: one look, no time, no settings of others.

A matplotlibrc of the user's, a style sheet that a notebook has set and the backend that it names
change nothing: all settings are matplotlib's own defaults and those of `style.RC`.
"""

import contextlib
import logging
import pathlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

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


class Settled(ConstrainedLayoutEngine):
    """A layout in millionths of the figure: its solver does not give the last digits twice."""

    def execute(self, fig: Figure) -> Any:
        """Lays out the axes, and those of figures within this one."""
        found = super().execute(fig)
        for part in fig.subfigs:
            part.bbox_relative.set_points(_rounded(part.bbox_relative.get_points()))
        for ax in fig.axes:
            within = ax.get_in_layout()
            for original in (True, False):
                place = _rounded(ax.get_position(original).bounds)
                ax.set_position(tuple(place), which="original" if original else "active")
            ax.set_in_layout(within)  # which a place that is set ends
        return found


def _rounded(places: npt.ArrayLike) -> np.ndarray:
    return np.round(np.asarray(places, float), 6)


def save(draw: Callable[[], Figure], out: pathlib.Path, name: str) -> None:
    """Writes NAME.png, .svg and .pdf of what is drawn; OSError if it cannot."""
    with styled():
        picture = draw()
        if isinstance(engine := picture.get_layout_engine(), ConstrainedLayoutEngine):
            picture.set_layout_engine(Settled(**engine.get()))
        for kind, metadata in PICTURES.items():
            writing.replace(
                out / f"{name}.{kind}",
                lambda file, kind=kind, metadata=metadata: picture.savefig(
                    file, format=kind, metadata=metadata
                ),
            )
