"""What the files of a sweep, a figure and `verify --out` must hold, as forms of JSON."""

import math
from collections.abc import Mapping

import numpy as np

from experiments.files import forms
from experiments.files.forms import SCALAR, Form
from experiments.files.reading import Malformed
from experiments.files.strict_json import Json, Record

MOST_CELLS = 2**20
OUTCOMES = ("confirmed", "miss", "beyond", "vacuous", "undecided")
KINDS = frozenset(("deterministic", "probabilistic", "moment", "empirical", "rate", "decay", "law"))
VERDICTS = frozenset(("consistent", "refuted", "vacuous", "inconclusive"))
SIDES = frozenset(("equal", "at most", "at least"))

NUMBER = (None, float)  # None is NaN or infinite
CONDITION = {
    "met": int,
    "failed": int,
    "tightest_margin": NUMBER,
    "ratio": (None, [NUMBER]),
    "stage": (None, str),
    "unit": str,
}
FAILURE_RATE = {
    "failures": int,
    "trials": int,
    "observed": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "allowed": NUMBER,
}
ESTIMATE = {
    "name": str,
    "claimed": NUMBER,
    "side": SIDES,
    "tolerance": NUMBER,
    "observed": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "verdict": VERDICTS,
    "resolution": NUMBER,
    "method": str,
}
VERDICT = {
    "id": str,
    "kind": KINDS,
    "verdict": VERDICTS,
    "reason": str,
    "draws": int,
    "level": float,
    "outcomes": dict.fromkeys(OUTCOMES, int),
    "hypotheses": {str: CONDITION},
    "measured": {str: CONDITION},
    "failure_rate": (None, FAILURE_RATE),
    "estimates": [ESTIMATE],
    "tightest_margin": NUMBER,
    "unit": str,
    "tightness": NUMBER,
    "constant": (None, {"smallest": NUMBER, "largest": NUMBER}),
    "draws_needed": NUMBER,
    "distinct": (None, int),
    "detectable": NUMBER,
    "notes": [str],
    "estimated": [str],
    "anytime": bool,
}

ENVIRONMENT = {
    "versions": {str: str},
    "platform": str,
    "backend": str,
    "devices": [str],
    "processes": int,
    "precision": str,
    "generator": str,
    "matmul_precision": (None, str),
}
# An entry of verdicts.json, and all of it. What people wrote of a statement may be empty.
KEPT_DRAWS = {"file": str, "sha256": str, "outcomes": [str]}
_SAID = CONDITION | {"says": str}
ENTRY = VERDICT | {
    "hypotheses": {str: _SAID},
    "measured": {str: _SAID},
    "source": str,
    "caveat": str,
    "case": str,
    "title": str,
    "says": str,
    "documented_erratum": (None, str),
    "loose": str,
    "reference": str,
    "config": object,
    "parameters": {str: {"unit": str, "says": str}},
    "seed": int,
    "seconds": float,
    "devices": int,
    "code": (None, str),
    "kept_draws": (None, KEPT_DRAWS),
}
VERIFIED = {
    "schema": frozenset(("widetheory/verify/1",)),
    "argv": [str],
    "asked": {str: object},
    "keys": {str: str},
    "statements": [ENTRY],
    "left_out": {str: str},
    "environment": ENVIRONMENT,
}

CELL = {"sweep": str, "cell": {str: SCALAR}, "seconds": float, "environment": {str: object}}
SWEPT_CELL = CELL | {"config": {str: object}, "verdict": VERDICT, "batch": int, "memory": NUMBER}
FAILURE = {"sweep": str, "cell": {str: SCALAR}, "error": str}

SWEEP = {
    "statement": str,
    "kind": KINDS,
    "erratum": (None, str),
    "config": {str: object},
    "grid": {str: {"values": [SCALAR], "unit": str, "says": str}},
    "draws": int,
    "seed": int,
    "level": float,
    "code": {str: object},
}
FIGURE = {"figure": str, "cells": [{str: SCALAR}], "seed": int, "code": {str: object}}

# NAME.json beside the pictures of a figure.
MADE = {
    "figure": str,
    "source": str,
    "preset": str,
    "changed": [str],
    "caption": str,
    "manifest": FIGURE | {"settings": {str: object}},
    "seconds": float,
    "environments": [ENVIRONMENT],
}


def check_manifest(manifest: Mapping[str, Json]) -> None:
    """Malformed unless it describes a sweep or a figure, of at most `MOST_CELLS` cells."""
    forms.check(dict(manifest), FIGURE if "cells" in manifest else SWEEP)
    if "cells" in manifest:
        return
    cells = math.prod(len(axis["values"]) for axis in manifest["grid"].values())
    if not 0 < cells <= MOST_CELLS:
        raise Malformed(f"grid must have from 1 to {MOST_CELLS:,} cells")


def of_cells(manifest: Mapping[str, Json]) -> Form:
    """The form of a cell's record: that of a sweep holds a verdict."""
    return CELL if "cells" in manifest else SWEPT_CELL


def check_arrays(record: Record, arrays: Mapping[str, np.ndarray]) -> None:
    """Malformed unless the arrays of a sweep's cell are over its draws, and of its conditions."""
    verdict = record["verdict"]
    conditions = {"hypothesis": verdict["hypotheses"], "measured": verdict["measured"]}
    for name, array in arrays.items():
        role, _, rest = name.partition(".")
        if role in conditions and rest.rpartition(".")[0] not in conditions[role]:
            raise Malformed(f"its array {name!r} is of no condition of its verdict")
        if name != "scales" and array.shape[:1] != (verdict["draws"],):
            raise Malformed(
                f"its array {name!r} must be over {verdict['draws']:,} draws, has shape "
                f"{array.shape}"
            )
