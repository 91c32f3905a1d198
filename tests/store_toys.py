"""A sweep of four cells, of which none was computed, to be written to a store and read again."""

import pathlib

import numpy as np

from experiments.files import seals
from experiments.files.strict_json import Json, Record
from experiments.results import store

MANIFEST = {
    "statement": "toy.x",
    "kind": "probabilistic",
    "erratum": None,
    "config": {"n": 8, "slope": 0.5},
    "grid": {
        "m": {"values": [8, 16], "unit": "neurons", "says": "width"},
        "law": {"values": ["normal", "uniform"], "unit": "1", "says": "the law"},
    },
    "draws": 3,
    "seed": 0,
    "precision": "float64",
    "level": 0.01,
    "code": {"sha256": "aa", "jax": "0.10.2"},
}
CELL = {"m": 8, "law": "normal"}
NAME = "m=8,law=normal"
VERDICT = {
    "id": "toy.x", "kind": "probabilistic", "verdict": "consistent", "reason": "why", "draws": 3,
    "level": 0.01, "estimates": [], "unit": "σ", "tightest_margin": 0.25, "tightness": None,
    "outcomes": {"confirmed": 2, "miss": 1, "beyond": 0, "vacuous": 0, "undecided": 0},
    "hypotheses": {
        "wide": {
            "met": 2, "failed": 0, "tightest_margin": 1.0, "ratio": None, "stage": "data",
            "unit": "σ",
        },
        "n/d ≥ 1.5": {
            "met": 3, "failed": 0, "tightest_margin": 1.0, "ratio": None, "stage": "data",
            "unit": "1",
        },
    },
    "measured": {}, "constant": None, "draws_needed": None, "distinct": 3, "detectable": None,
    "notes": [], "estimated": [], "anytime": False,
    "failure_rate": {
        "failures": 1, "trials": 3, "observed": 1 / 3, "low": 0.1, "high": 0.9, "allowed": 0.5,
    },
}  # fmt: skip
RECORD = {
    "cell": CELL, "config": {"n": 8}, "verdict": VERDICT, "seconds": 1.5, "batch": 3,
    "memory": 1024, "environment": {"backend": "cpu"},
}  # fmt: skip
ARRAYS = {
    "hypothesis.wide.value": np.array([4.0, 5.0, 6.0]),
    "hypothesis.n/d ≥ 1.5.value": np.array([1.0, 2.0, 3.0]),
    "hypothesis.n/d ≥ 1.5.error": np.array([0.1, 0.1, np.nan]),
    "conclusion.value": np.array([0.5, -0.5, 0.25]),
    "allowed": np.array([0.5, 0.5, 0.5]),
}

ENVIRONMENT = {
    "versions": {"python": "3"}, "platform": "a", "backend": "cpu", "devices": ["cpu"],
    "processes": 1, "precision": "float64", "generator": "threefry2x32",
    "matmul_precision": "highest",
}  # fmt: skip
ENTRY = VERDICT | {
    "hypotheses": {name: one | {"says": ""} for name, one in VERDICT["hypotheses"].items()},
    "source": "a paper, Theorem 1", "caveat": "", "case": "", "title": "x is small",
    "says": "x < 1", "documented_erratum": None, "loose": "", "reference": "",
    "config": {"n": 8}, "parameters": {"n": {"unit": "1", "says": "points"}}, "seed": 0,
    "seconds": 1.5, "devices": 1, "code": "aa", "kept_draws": None,
}  # fmt: skip


def verified(*entries: Record, **changes: Json) -> Record:
    """What `verify --out` would have written of these."""
    content = {
        "schema": "widetheory/verify/1", "argv": ["verify", "toy.x"], "asked": {"preset": "quick"},
        "keys": {}, "statements": list(entries), "left_out": {},
        "environment": ENVIRONMENT,
    }  # fmt: skip
    return seals.sealed(content | changes)


FAILED = {"cell": {"m": 16, "law": "uniform"}, "error": "ValueError: no"}


def begun(path: pathlib.Path, **changes) -> store.Store:
    return store.begin(path, MANIFEST | changes, resume=True)
