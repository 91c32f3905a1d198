"""`assert_statement`: any statement as a test, over draws or under Hypothesis."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import hypothesis
import jax
import numpy as np
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from theory._types import PyTree
from theory.falsification.falsify import falsify
from theory.keys import make_key
from theory.margins import Margin
from theory.verification.evaluation import evaluate, evaluate_instance
from theory.verification.kinds import ByOutcome, Deterministic
from theory.verification.outcomes import Outcome, outcome
from theory.verification.programs import arithmetic
from theory.verification.statement import Config, Instance, Statement
from theory.verification.verdict import Evidence
from theory.verification.verify import verify

IRRELEVANT = (  # health checks of tests whose examples are cheap and hardly ever rejected
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
)
SEARCHED = 4000  # candidates among which a small counterexample is looked for


def assert_statement(
    statement: Statement[Config, Instance],
    *,
    draws: int | None = None,
    key: jax.Array | None = None,
    config: Config | None = None,
    level: float = 1e-3,
    instances: st.SearchStrategy[Instance] | None = None,
    configs: st.SearchStrategy[Config] | None = None,
    settings: Any = None,
) -> None:
    """Fails, with the instance that broke it, unless a statement withstands the test.

    Over draws (the default): `verify` must find it "consistent". Under Hypothesis, for
    deterministic statements: `instances` or `configs` are searched for a counterexample, which is
    shrunk to a small one. An instance on which the conclusion is within numerical error is none;
    one that fails a hypothesis is rejected, and at least one must be decided.

    Args:
      statement: what to test.
      draws: number of draws, the statement's own for "quick" if None.
      key: random key; default `theory.keys.make_key(0)`.
      config: configuration of the sampler and of the conditions; default the statement's own.
      level: false-alarm rate over draws.
      instances: strategy for instances, in place of the sampler.
      configs: strategy for configurations; the sampler draws from each with its own seed.
      settings: Hypothesis settings for the search; its deadline and health checks do not apply, as
        compilation takes longer than the one, and hypotheses reject more than the others allow.

    Raises:
      AssertionError: if the verdict over draws is not "consistent", a counterexample is found, or
        every instance is undecided or rejected. It names the conditions with their margins, the
        instance, and how to draw it again; for a deterministic statement also a smaller one
        (`theory.falsify`).
      ValueError: if a search is asked for a statement that is not deterministic (no single
        instance can refute it), or for both instances and configs.

    Example:
      >>> assert_statement(REGISTRY["orthogonal.multiplier-range"], draws=50)
    """
    __tracebackhide__ = True
    if instances is None and configs is None:
        _over_draws(statement, draws, make_key(0) if key is None else key, config, level)
        return
    if not isinstance(statement.claim, Deterministic):
        raise ValueError(
            f"statement must be deterministic to be searched for a counterexample, got the "
            f"{statement.kind} {statement.id}"
        )
    if instances is not None and configs is not None:
        raise ValueError("instances and configs must not both be given")
    seen: Counter[Outcome] = Counter()
    if instances is not None:

        @hypothesis.given(instances)
        def search(instance: Instance) -> None:
            __tracebackhide__ = True
            hypothesis.assume(_tested(statement, instance, config, "", seen))

    else:
        assert configs is not None

        @hypothesis.given(configs, st.integers(0, 2**32 - 1))
        def search(config: Config, seed: int) -> None:
            __tracebackhide__ = True
            with arithmetic("float64"):
                instance = statement.sample(make_key(seed), config)
            origin = f"drawn with theory.keys.make_key({seed}) from {config}"
            hypothesis.assume(_tested(statement, instance, config, origin, seen))

    try:
        _unhurried(settings)(search)()
    except Unsatisfiable as error:
        raise AssertionError(
            f"{statement.id} was not tested: no instance satisfies its hypotheses"
        ) from error
    if not seen[Outcome.CONFIRMED]:
        raise AssertionError(
            f"{statement.id} was not tested: {seen[Outcome.UNDECIDED]} instances are within "
            "numerical error, and none is decided"
        )


def _unhurried(settings: Any) -> Any:
    """The settings without what the first example's compilation, or a hypothesis that few instances
    satisfy, would fail: deadline and health checks."""
    return hypothesis.settings(
        settings or hypothesis.settings(),
        deadline=None,
        suppress_health_check=IRRELEVANT,
    )


def _tested(
    statement: Statement, instance: PyTree, config: object, origin: str, seen: Counter[Outcome]
) -> bool:
    """Whether the instance satisfies the hypotheses; raises if the conclusion fails there."""
    __tracebackhide__ = True
    if statement.solve is not None:
        instance = statement.solved(jax.device_get(instance))
    evidence = evaluate_instance(statement, instance, config)
    found = _outcome(evidence)
    if found == Outcome.MISS:  # looked at twice, as `verify` does
        found = _outcome(evaluate_instance(statement, instance, config, all_estimated=True))
    seen[found] += 1
    if found == Outcome.MISS:
        hypotheses, conclusion = jax.tree.map(
            lambda part: part[0], (evidence.hypotheses, evidence.conclusion)
        )
        raise AssertionError(_report(statement, hypotheses, conclusion, instance, origin))
    return found in (Outcome.CONFIRMED, Outcome.UNDECIDED)


def _outcome(evidence: Evidence) -> Outcome:
    assert evidence.conclusion is not None
    return Outcome(int(np.ravel(outcome(evidence.hypotheses.values(), evidence.conclusion))[0]))


def _over_draws(
    statement: Statement, draws: int | None, key: jax.Array, config: object, level: float
) -> None:
    __tracebackhide__ = True
    verdict = verify(statement, key=key, draws=draws, config=config, level=level)
    if verdict.verdict == "consistent":
        return
    message = str(verdict)
    config = statement.config if config is None else config
    if isinstance(statement.claim, ByOutcome) and verdict.outcomes["miss"]:
        evidence = evaluate(statement, key, verdict.draws, config)
        assert evidence.conclusion is not None
        outcomes = np.broadcast_to(
            outcome(evidence.hypotheses.values(), evidence.conclusion), verdict.draws
        )
        first = int(np.argmax(outcomes == Outcome.MISS))
        hypotheses, conclusion = jax.tree.map(
            lambda part: part[first], (evidence.hypotheses, evidence.conclusion)
        )
        with arithmetic("float64"):
            instance = statement.sample(jax.random.fold_in(key, first), config)
        origin = f"draw {first}: statement.sample(jax.random.fold_in(key, {first}), config)"
        message += "\n" + _report(statement, hypotheses, conclusion, instance, origin)
    if verdict.verdict == "refuted" and isinstance(statement.claim, Deterministic):
        message += _made_smaller(statement, key, config)
    raise AssertionError(message)


def _made_smaller(statement: Statement, key: jax.Array, config: object) -> str:
    """A small counterexample in words; nothing if none is found soon."""
    example = falsify(statement, key=key, config=config, evaluations=SEARCHED).counterexample
    if example is None or example.evidence.conclusion is None:
        return ""
    hypotheses, conclusion = jax.tree.map(
        lambda part: part[0], (example.evidence.hypotheses, example.evidence.conclusion)
    )
    origin = f"made smaller, in the setting {example.config}: {example.how}"
    return "\n" + _report(statement, hypotheses, conclusion, example.instance, origin)


def _report(
    statement: Statement,
    hypotheses: Mapping[str, Margin],
    conclusion: Margin,
    instance: PyTree,
    origin: str,
) -> str:
    lines = [f"{statement.id} fails on an instance that satisfies its hypotheses"]
    if origin:
        lines.append(f"  {origin}")
    for name, condition in (*hypotheses.items(), ("conclusion", conclusion)):
        lines.append(
            f"  {name}: margin {float(condition.value):.6g} ± {float(condition.error):.2g} "
            f"{condition.unit}"
        )
    for path, leaf in jax.tree_util.tree_leaves_with_path(instance):
        name = jax.tree_util.keystr(path) or "instance"
        array = np.asarray(leaf)
        shown = np.array2string(array, threshold=64, precision=6, prefix="    ")
        lines.append(f"  {name} {array.dtype}{list(array.shape)}: {shown}")
    return "\n".join(lines)
