"""What the tests of every statement share: evidence, verdicts, and false variants of a statement.

False-alarm rate of each test file: every verdict in them is reached at LEVEL by a true statement,
with seeds fixed once and for all.
"""

import functools
import pathlib
import runpy

import jax
from loose_parts import changed

from theory import REGISTRY, Margin
from theory.verification.evaluation import evaluate
from theory.verification.judging import judge
from theory.verification.verdict import Evidence, Verdict
from theory.verification.verify import assess

LEVEL = 1e-3
# Whose evidence takes so long that what is tested with it is marked slow.
SLOW = (
    "lazy.dynamics",
    "lazy.dynamics-certified",
    "lazy.dynamics-logistic",
    "lazy.margin-f",
    "lazy.margin-f-init",
    "lazy.margin-g",
    "lazy.perturbation",
    "lazy.prediction-matching-init",
    "lazy.prediction-matching-logistic",
    "lazy.prediction-matching-published",
    "lazy.published-constant",
    "lazy.trained-gradient",
    "ntk.initial-kurtosis",
    "ntk.initial-output",
    "ntk.kernel-convergence",
    "ntk.linearization",
    "ntk.mean-correction",
    "ntk.mean-correction-smooth",
    "ntk.predictors-agree",
    "ntk.training-dynamics",
    "orthogonal.decision-boundary-certified",
    "orthogonal.decision-boundary-quadratic",
    "orthogonal.effect-growth",
    "orthogonal.learning-from-perturbations",
    "orthogonal.learning-from-perturbations-certified",
    "orthogonal.noise-accuracy",
    "orthogonal.noise-accuracy-early",
    "orthogonal.perturbation-direction",
    "separability.generalization",
    "separability.generalization-beyond",
    "separability.generalization-two-layer",
    "separability.large-step-ratio",
    "separability.ntk",
    "separability.ntk-many-samples",
    "separability.ntk-movement-logistic",
    "separability.ntk-share",
    "separability.ntk-term-rates",
)


FILES = pathlib.Path(__file__).parent / "statements"


@functools.cache
def draws_of_files() -> dict[str, dict[str, int]]:
    """File of a family's tests → identifier of each statement tested in it → number of draws.

    Statements that no such file names have those of the preset "quick", in test_neighbours.py.
    """
    families = {id.split(".")[0] for id in REGISTRY}
    files = sorted(path for family in families for path in FILES.glob(f"test_{family}*.py"))
    found = {path.stem: runpy.run_path(str(path)).get("DRAWS", {}) for path in files}
    named = {id for tested in found.values() for id in tested}
    others = {id: s.draws["quick"] for id, s in REGISTRY.items() if id not in named}
    return found | {"test_neighbours": others}


@functools.cache
def evidence_of(id: str, draws: int) -> Evidence:
    """The evidence of a registered statement at its default configuration, computed once."""
    return evaluate(REGISTRY[id], jax.random.key(7), draws)


def verdict_of(id: str, evidence: Evidence, claim=None) -> Verdict:
    """The verdict on a registered statement from any evidence, against its own or another claim."""
    statement = REGISTRY[id]
    if claim is not None:
        statement = changed(statement, claims=lambda config: claim)
    return judge(
        id,
        statement.claim,
        evidence,
        stages=statement.looks_at,
        first=statement.first,
        config=statement.config,
        level=LEVEL,
        random=statement.random,
    )


def first_look(statement, *, key, draws: int, config=None, level: float = 0.01) -> Verdict:
    """`verify` without its second look at counterexamples, which takes a minute for the largest
    statements to compile; tests/soundness has those of small ones."""
    evidence = evaluate(statement, key, draws, config)
    return assess(statement, evidence, config=config, level=level)


def check_default(id: str, draws: int) -> None:
    """At its defaults a statement is consistent, or refuted if it is a known erratum."""
    verdict = verdict_of(id, evidence_of(id, draws))
    expected = "refuted" if REGISTRY[id].erratum else "consistent"
    assert verdict.verdict == expected, str(verdict)
    assert all(summary.met > 0 for summary in verdict.hypotheses.values())


def with_conclusion(evidence: Evidence, value) -> Evidence:
    """The same evidence with other margins of the conclusion."""
    old = evidence.conclusion
    assert old is not None
    return evidence._replace(conclusion=Margin(value, old.error, old.ratio, old.unit))


def with_left_side(factor: float):
    """The statement "factor·left > right" where the true one is "left > right"."""

    def change(evidence: Evidence) -> Evidence:
        margin = evidence.conclusion
        assert margin is not None
        right = margin.value / (margin.ratio - 1)
        return with_conclusion(evidence, (factor * margin.ratio - 1) * right)

    return change


def negated(evidence: Evidence) -> Evidence:
    """The statement with the opposite conclusion."""
    assert evidence.conclusion is not None
    return with_conclusion(evidence, -evidence.conclusion.value)


def with_allowed(factor: float):
    """The statement with another failure probability."""
    return lambda evidence: evidence._replace(allowed=evidence.allowed * factor)
