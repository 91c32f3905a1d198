"""The figures by name, in the order in which they are listed."""

import functools
import importlib
from collections.abc import Sequence

from experiments.figures.figure import Figure
from theory._validation import check_choice

MODULES: tuple[str, ...] = (
    "lazy_accuracy",
    "lazy_cosine",
    "lazy_map",
    "lazy_conditions",
    "lazy_activation",
    "lazy_width",
    "orthogonal_accuracy",
    "orthogonal_map",
    "orthogonal_perturbations",
    "separability_phase",
    "separability_training",
    "separability_width",
    "separability_attacks",
    "separability_embedding",
    "ntk_rates",
    "errata",
)


@functools.cache
def figures() -> dict[str, Figure]:
    """Name → figure."""
    found = [importlib.import_module(f"experiments.figures.{name}").FIGURE for name in MODULES]
    return {figure.name: figure for figure in found}


def select(names: Sequence[str]) -> list[Figure]:
    """The figures of these names, all of them for "all"; ValueError for an unknown one."""
    known = figures()
    if "all" in names and len(names) > 1:
        raise ValueError("NAME must be figures, or all alone")
    if list(names) == ["all"]:
        return list(known.values())
    return [known[check_choice("NAME", name, known)] for name in dict.fromkeys(names)]
