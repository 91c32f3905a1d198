"""What `verify`, `sweep`, `train`, `figure` and `falsify` print as JSON, as JSON Schemas.

A schema is named in what is printed, "widetheory/verify/1". Its number changes with anything that
would break a program: a name that goes, or means something else. Names may be added without that.
"""

from experiments.files import forms
from experiments.files.forms import SCALAR, Form
from experiments.files.strict_json import Record
from experiments.results.contents import (
    ENVIRONMENT,
    FIGURE,
    NUMBER,
    SWEEP,
    VERDICT,
    VERDICTS,
    VERIFIED,
)

DRAFT = "https://json-schema.org/draft/2020-12/schema"
SEALED = {"format": int, "digest": str}  # see `files.seals`

_QUANTITIES = {str: NUMBER}
_RUN = {"precision": str, "generator": str}
_LEARNT = {
    "argv": [str],
    "predicted": _QUANTITIES,
    "spread_of_one_draw": _QUANTITIES,
    "range": {
        str: {
            "claimed": bool,
            "switching_f": NUMBER,
            "switching_g": NUMBER,
            "claimed_up_to": float,
            "reason": (None, str),
        }
    },
    "trained?": {str: {"mean": NUMBER, "standard_error": NUMBER}},
    "rates?": {str: (None, {"lr_f": float, "lr_g": float, "T_f": NUMBER, "T_g": NUMBER})},
    "setting": {str: object},
    "draws": int,
    "seed": int,
    "environment": ENVIRONMENT,
}
_SWEPT = {
    "argv": [str],
    "sweep": SWEEP | _RUN | {"format": int},
    "cells": [
        {
            "cell": {str: SCALAR},
            "verdict": VERDICT,
            "seconds": float,
            "batch": int,
            "memory": NUMBER,
            "config": {str: object},
        }
    ],
    "failed": [{"cell": {str: SCALAR}, "error": str}],
    "unfinished": int,
    "environment": ENVIRONMENT,
}
_MADE = {
    "argv": [str],
    "figures": [
        {
            "figure": str,
            "source": str,
            "preset": str,
            "changed": [str],
            "caption": str,
            "manifest": FIGURE | _RUN | {"format": int, "settings": {str: object}},
            "seconds": float,
            "environments": [ENVIRONMENT],
        }
    ],
}
SEARCHED = {
    "schema": frozenset(("widetheory/falsify/1",)),
    "argv": [str],
    "asked": {str: object},
    "statements": [
        {
            "id": str,
            "verdict": VERDICTS,
            "proved": bool,
            "documented_erratum": (None, str),
            "reason": str,
            "file": (None, str),
            "config": object,
            "conditions": (
                None,
                [
                    {
                        "name": str,
                        "margin": NUMBER,
                        "error": NUMBER,
                        "unit": str,
                        "enclosure": (None, str),
                    }
                ],
            ),
            "confirmed": object,
            "evaluations": int,
            "tested": int,
            "nearest": NUMBER,
            "seconds": float,
            "seed": int,
        }
    ],
    "environment": ENVIRONMENT,
}
FORMS: dict[str, Form] = {
    "verify": VERIFIED | SEALED,
    "sweep": _SWEPT,
    "figure": _MADE,
    "train": _LEARNT,
    "predict": _LEARNT,
    "falsify": SEARCHED | SEALED,
}

SAYS = {
    "schema": "which of these schemas it follows",
    "argv": "the words after `widetheory`",
    "asked": "values of the options that results depend on, those of the preset included",
    "keys": "how random keys come about: a Python expression for each step",
    "format": "version of sealed files",
    "digest": "SHA-256 of all else, as JSON with sorted names and Python's separators",
    "statements": "one entry for each statement and setting, in order",
    "left_out": "identifier → why it did not run",
    "environment": "versions, devices and precision of the process that wrote this",
    "environments": "those of the processes that computed the cells",
    "versions": "package → version",
    "platform": "operating system and processor",
    "backend": "JAX's backend: cpu, gpu or tpu",
    "devices": "names of the devices; in an entry how many shared its draws",
    "processes": "how many processes took part",
    "precision": "floating-point type",
    "generator": "random generator",
    "matmul_precision": "precision of matrix products",
    "id": "identifier, family.statement",
    "kind": "form of the claim",
    "verdict": "what came out",
    "reason": "one sentence that says why",
    "draws": "number of draws",
    "level": "false-alarm rate",
    "outcomes": "outcome → number of draws; in kept_draws the outcomes by their code",
    "hypotheses": "name → how a condition that is needed fared",
    "measured": "name → how a condition that is not needed fared",
    "failure_rate": "failures among the trials, with confidence limits; null where no draw decides",
    "estimates": "claimed quantities against their measured values",
    "tightest_margin": "smallest margin over the draws, in `unit`",
    "unit": "unit of what stands beside it",
    "tightness": "bound over observed value; 1 is tight",
    "constant": "the constant that a published form leaves open",
    "draws_needed": "how many draws would be enough, where too few were made and that is known",
    "distinct": "number of distinct instances among the draws",
    "detectable": "smallest failure rate, or distance of a law from the claimed one, that the "
    "draws would have shown with 95 % probability",
    "notes": "sentences that a reader must know",
    "estimated": "conditions whose numerical errors are estimates, not stated bounds",
    "anytime": "whether the level holds whenever the draws end",
    "source": "where it is printed",
    "caveat": "what a reader must know about the source",
    "case": "the further setting that it is, empty for the default",
    "title": "the statement in one line",
    "says": "in words: the statement in full, a condition, or a parameter's meaning",
    "documented_erratum": "anchor in docs/errata.md if it is known to be wrong as printed",
    "loose": "why a bound is far from tight, if it is",
    "reference": "file or module that holds the statement, empty for one of the registry",
    "config": "the configuration that it was drawn with",
    "parameters": "name → unit and meaning",
    "seed": "random seed",
    "seconds": "wall time",
    "code": "digest of the code that determines the numbers, in manifests with package versions",
    "kept_draws": "the file with what was measured in each draw, null where none was kept",
    "file": "its name, below the directory of this file; null where there is none",
    "sha256": "digest of that file",
    "met": "draws in which it certainly held",
    "failed": "draws in which it certainly failed; of a sweep the cells that failed",
    "ratio": "smallest, median and largest of left side over right side",
    "stage": "the last stage that it looks at, null for everything",
    "failures": "trials that failed",
    "trials": "draws that count",
    "observed": "measured value",
    "low": "lower confidence limit",
    "high": "upper confidence limit",
    "allowed": "rate that the statement allows",
    "name": "what it is called",
    "claimed": "the claimed value; of a range, whether it is claimed there",
    "side": "what the quantity is said to be",
    "tolerance": "how far the value may be off systematically",
    "resolution": "half-width that the interval had to reach",
    "method": "what the interval is from",
    "smallest": "smallest constant that no draw contradicts",
    "largest": "largest constant with which hypotheses hold in any draw",
    "sweep": "the manifest: all that the results depend on",
    "statement": "its identifier",
    "erratum": "anchor in docs/errata.md, if any",
    "grid": "name → axis",
    "values": "of the axis",
    "cells": "finished cells of a sweep; all cells of a figure",
    "cell": "name → value",
    "batch": "draws evaluated at once",
    "memory": "bytes that were foreseen",
    "error": "why it failed; in a condition the bound on the margin's numerical error",
    "unfinished": "cells that remain",
    "figures": "those that were made",
    "figure": "its name",
    "preset": "size of the experiment",
    "changed": "settings that differ from the preset's",
    "caption": "what stands below it",
    "manifest": "all that the results depend on",
    "settings": "of the figure",
    "predicted": "quantity → its value in the infinite-width limit",
    "spread_of_one_draw": "quantity → standard deviation over initial outputs",
    "range": "quantity → whether the limit is claimed there",
    "switching_f": "bound on the share of neurons of f that change their activation",
    "switching_g": "the same for g",
    "claimed_up_to": "share up to which the limit is claimed",
    "trained": "quantity → what trained networks gave; not in the JSON of predict",
    "mean": "over the draws",
    "standard_error": "of the mean",
    "rates": "quantity → the learning rates that are best for it, where there were several",
    "lr_f": "learning rate of f",
    "lr_g": "learning rate of g",
    "T_f": "training time of f",
    "T_g": "training time of g",
    "setting": "of the experiment",
    "proved": "whether a counterexample is proved in rigorous arithmetic",
    "conditions": "margins of the counterexample, null without one",
    "margin": "positive exactly when it holds",
    "enclosure": "of the true margin, in rigorous arithmetic",
    "confirmed": "of outcomes: hypotheses and conclusion hold; of falsify: the verdict on fresh "
    "draws in the worst setting, null without one",
    "miss": "all hypotheses hold, the conclusion fails",
    "beyond": "some hypothesis fails, the conclusion holds all the same",
    "vacuous": "some hypothesis fails, the conclusion fails",
    "undecided": "inside numerical error",
    "evaluations": "how many candidates were evaluated",
    "tested": "how many of them satisfy the hypotheses",
    "nearest": "smallest margin found, in medians of its size over drawn instances",
}


def schema(verb: str) -> Record:
    """The JSON Schema of what a verb prints with --json."""
    name = f"widetheory/{verb}/1"
    body = forms.as_schema({"schema": frozenset((name,))} | FORMS[verb])
    described = _described(body)
    return {"$schema": DRAFT, "$id": f"urn:{name.replace('/', ':')}", "title": name} | described


def _described(part: Record) -> Record:
    """The same with what every name means."""
    found = dict(part)
    if "properties" in part:
        found["properties"] = {
            name: {"description": SAYS[name]} | _described(inner)
            for name, inner in part["properties"].items()
        }
    for where in ("items", "additionalProperties"):
        if where in part:
            found[where] = _described(part[where])
    if "anyOf" in part:
        found["anyOf"] = [_described(one) for one in part["anyOf"]]
    return found
