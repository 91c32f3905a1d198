"""Matplotlib without the user's settings, in a process of the command's own."""

import os
from importlib.machinery import PathFinder


def prepare() -> None:
    """Has matplotlib read no file of the user's and load no backend; to be called before it is.

    A backend that is not installed, and a locale that the system does not have together with
    `axes.formatter.use_locale`, end its import. What is drawn has settings of its own
    (`experiments.figures.saving`).
    """
    os.environ["MPLBACKEND"] = "agg"
    found = PathFinder.find_spec("matplotlib")
    if found is not None and found.origin is not None:
        beside = os.path.dirname(found.origin)
        os.environ["MATPLOTLIBRC"] = os.path.join(beside, "mpl-data", "matplotlibrc")
