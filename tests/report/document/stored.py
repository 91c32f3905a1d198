"""Results as they are stored, of statements whose texts are hostile, without running anything."""

import numpy as np
import store_toys

from experiments.files import seals, writing
from experiments.results import draws

HOSTILE = (
    '<script>alert("x")</script> & \\input{/etc/passwd} $x_1 \\href{http://a.b}{y}$ {%_#~^} `|'
)
RATE = {"failures": 3, "trials": 40, "observed": 0.075, "low": 0.01, "high": 0.2, "allowed": 0.05}
ESTIMATE = {
    "name": "⟨x_k, v⟩", "claimed": 0.5, "side": "equal", "tolerance": 0.1, "observed": 0.45,
    "low": 0.4, "high": 0.5, "verdict": "consistent", "resolution": 0.1, "method": "Hall",
}  # fmt: skip


def entry(id="toy.x", **changes):
    return store_toys.ENTRY | {"id": id, "failure_rate": RATE} | changes


def arrays(count=40):
    values = np.linspace(-0.5, 2.0, count)
    return {
        "hypothesis/wide/value": values, "hypothesis/wide/error": np.full(count, 0.05),
        "hypothesis/wide/ratio": values + 1, "conclusion/value": values * 2,
        "conclusion/error": np.full(count, np.nan), "outcome": np.arange(count) % 5,
    }  # fmt: skip


def run(place, *entries, **changes):
    """A directory of `verify`; the draws of the first entry are kept."""
    place.mkdir(exist_ok=True)
    entries = list(entries)
    if entries:
        kept = draws.write(place, "draws/00-x.npz", arrays())
        entries[0] = entries[0] | {"draws": 40, "kept_draws": kept}
    writing.replace_json(place / "verdicts.json", store_toys.verified(*entries, **changes))
    return place


def hostile(place):
    """All kinds of verdicts, and texts that would be commands in HTML, Markdown and LaTeX."""
    texts = dict.fromkeys(("title", "says", "source", "caveat", "loose", "case"), HOSTILE)
    wide = entry()["hypotheses"]["wide"]
    return run(
        place,
        entry("toy.first", **texts, reason=HOSTILE, notes=[HOSTILE], estimated=[HOSTILE]),
        entry("toy.first"),
        entry(
            "toy.second", hypotheses={HOSTILE: wide | {"says": HOSTILE}}, failure_rate=None,
            estimates=[ESTIMATE, ESTIMATE | {"claimed": None, "name": HOSTILE}],
            config={"x": HOSTILE, "data": {"name": HOSTILE, "rows": 3, "columns": 2}},
            parameters={"x": {"unit": HOSTILE, "says": HOSTILE}},
        ),
        entry("toy.wrong", verdict="refuted", documented_erratum="an-anchor"),
        entry("toy.false", verdict="refuted", reason="a counterexample", unit=HOSTILE),
        entry("toy.vacuous", verdict="vacuous", outcomes=dict.fromkeys(draws.OUTCOMES, 0)),
        entry("toy.few", verdict="inconclusive", config=None, reference="my file.py"),
        left_out={"toy.lost": HOSTILE},
        argv=["verify", "my file.py", HOSTILE],
    )  # fmt: skip


def searched(place):
    """A directory of `falsify`."""
    found = {
        "id": "toy.false", "verdict": "refuted", "proved": True, "documented_erratum": None,
        "reason": HOSTILE, "file": "toy.false.counterexample.json", "config": {"m": 3},
        "conditions": [
            {"name": HOSTILE, "margin": -0.5, "error": 1e-9, "unit": "1", "enclosure": "[-1, 0]"}
        ],
        "confirmed": None, "evaluations": 8, "tested": 7, "nearest": None, "seconds": 1.0,
        "seed": 0,
    }  # fmt: skip
    content = {
        "schema": "widetheory/falsify/1", "argv": ["falsify", "toy.false"], "asked": {"seed": 0},
        "statements": [found], "environment": store_toys.ENVIRONMENT,
    }  # fmt: skip
    place.mkdir()
    writing.replace_json(place / "falsified.json", seals.sealed(content))
    return place
