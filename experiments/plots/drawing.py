"""Statements drawn in memory, with the draws and the verdict of `verify`."""

import numpy as np

from experiments.machine import environment
from experiments.plots.subjects import Drawn
from experiments.results.records import plain
from experiments.settings.text import written
from experiments.verify.planning import Run
from experiments.verify.running import run_key
from theory.verification.evaluation import evaluate
from theory.verification.kinds import Scaled
from theory.verification.verdict import Evidence
from theory.verification.verify import assess


def drawn(run: Run, *, seed: int, level: float) -> Drawn:
    """The draws of a planned run.

    Args:
      run: statement, configuration and number of draws.
      seed: random seed; with it the draws are those of `verify`.
      level: false-alarm rate of this run.
    """
    evidence = evaluate(
        run.statement,
        run_key(run.statement, seed),
        run.draws,
        run.config,
        precision=environment.precision(),
        memory=environment.known_memory(),
    )
    verdict = assess(run.statement, evidence, config=run.config, level=level)
    says = run.statement.title or run.statement.says
    return Drawn(run.title, says, _settings(run, seed), verdict, _arrays(run, evidence))


def _settings(run: Run, seed: int) -> str:
    config = plain(run.config) or {}
    values = {n: v["name"] if isinstance(v, dict) else v for n, v in config.items()}
    words = ", ".join(
        f"{name} = {written(tuple(value) if isinstance(value, list) else value)}"
        for name, value in values.items()
    )
    return f"Seed {seed}, {environment.precision()}" + (f"; {words}." if words else ".")


def _arrays(run: Run, evidence: Evidence) -> dict[str, np.ndarray]:
    """Name → array over draws, as a sweep's cell has them."""
    arrays = {}
    margins = {f"hypothesis.{name}": margin for name, margin in evidence.hypotheses.items()}
    margins |= {f"measured.{name}": margin for name, margin in evidence.measured.items()}
    if evidence.conclusion is not None:
        margins["conclusion"] = evidence.conclusion
    for name, margin in margins.items():
        for part in ("value", "error", "ratio"):
            arrays[f"{name}.{part}"] = np.broadcast_to(getattr(margin, part), run.draws)
    for name in ("allowed", "quantity", "constant"):
        if (values := getattr(evidence, name)) is not None:
            arrays[name] = np.asarray(values)
    if isinstance(run.statement.claim, Scaled):
        arrays["scales"] = np.asarray(run.statement.claim.scales(run.config), float)
    return arrays
