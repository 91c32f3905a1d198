"""Statements drawn in memory, with the draws and the verdict of `verify`."""

from experiments.machine import environment
from experiments.plots.subjects import Drawn, settings_words
from experiments.plots.verified import arrays_of
from experiments.results import draws
from experiments.results.records import plain
from experiments.verify.planning import Run
from experiments.verify.running import run_key
from theory.verification.verify import examine


def drawn(run: Run, *, seed: int, level: float) -> Drawn:
    """The draws of a planned run.

    Args:
      run: statement, configuration and number of draws.
      seed: random seed; with it the draws are those of `verify`.
      level: false-alarm rate of this run.
    """
    verdict, evidence = examine(
        run.statement,
        key=run_key(run.statement, seed),
        draws=run.draws,
        config=run.config,
        level=level,
        precision=environment.precision(),
        memory=environment.known_memory(),
    )
    says = run.statement.title or run.statement.says
    settings = settings_words(plain(run.config) or {}, seed, environment.precision())
    kept = draws.kept(draws.arrays_of(run.statement, run.config, evidence))
    return Drawn(run.title, says, settings, verdict, arrays_of(kept))
