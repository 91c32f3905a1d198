"""Every condition of every deterministic statement that is registered, on one small instance.

What float64 finds, ± its own error, must meet the enclosure of the real number; where the two
decide, they decide the same.
"""

import dataclasses

import flint
import jax
import numpy as np
import pytest
from untyped import known

from theory.certificates.ball import MissingPrimitive, decide
from theory.certificates.ball.enclosing import _bits
from theory.compilation import quick_to_compile
from theory.keys import make_key
from theory.statements.registry import REGISTRY
from theory.verification.evaluation import evaluate_instance
from theory.verification.kinds import ByOutcome
from theory.verification.programs import arithmetic
from theory.verification.stages import Staged, seen_from

SMALL = {
    "kernel.smallest-eigenvalue": {"n": 3, "d": 40},
    "kernel.smallest-eigenvalue-sharp": {"n": 4, "d": 3},
    "kernel.polynomial-approximation": {"n": 3, "d": 40},
    "kernel.polynomial-approximation-sharp": {"n": 3, "d": 5},
    "lazy.movement": {"n": 3, "d": 4, "m": 6, "steps": 3},
    "margin.random-features": {"n": 2, "d": 2, "m": 6, "steps": 20},
    "margin.random-features-sharp": {"n": 2, "d": 2, "m": 6, "steps": 20},
    "ntk.predictors-agree": {"n": 3, "d": 4, "queries": 2, "steps": 20},
    "orthogonal.decision-boundary": {"n": 3, "d": 12, "m": 4, "steps": 200, "queries": 2},
    "orthogonal.decision-boundary-certified": {
        "n": 3, "d": 100, "m": 4, "steps": 200, "queries": 2,
    },
    "orthogonal.decision-boundary-quadratic": {"n": 4, "d": 20, "m": 4, "steps": 200, "queries": 2},
    "orthogonal.multiplier-range": {"n": 3, "d": 12},
    "orthogonal.multiplier-range-sharp": {"n": 3, "d": 12},
    "orthogonal.stable-rank": {"n": 3, "d": 12, "m": 4, "steps": 1000, "queries": 2},
    "orthogonal.stable-rank-range": {"n": 3, "d": 12},
    "orthogonal.uniformity": {"n": 3, "d": 12},
    "orthogonal.uniformity-published": {"n": 3, "d": 12},
    "orthogonal.learning-from-perturbations": {
        "n": 3, "d": 100, "m": 4, "steps": 100, "queries": 2, "n_adv": 3,
    },
    "orthogonal.learning-from-perturbations-certified": {
        "n": 3, "d": 100, "m": 4, "steps": 100, "queries": 2, "n_adv": 3,
    },
    "rich.hypentropy": {"n": 2, "d": 3, "steps": 40, "learning_rate": 0.2},
    "rich.kernel-regime": {"n": 2, "d": 4},
    "rich.kernel-regime-sharp": {"n": 2, "d": 4},
    "rich.rich-regime": {"n": 2, "d": 4},
    "rich.rich-regime-sharp": {"n": 2, "d": 4},
    "separability.tails": {"m": 20, "d": 20},
    "separability.tails-as-printed": {"m": 20, "d": 20},
    "separability.ntk-terms": {"n": 3, "d": 8, "m": 16, "steps": 3},
}  # fmt: skip
# Most of the time is drawing the instance: compiled, and for the largest of them slow.
LONG = {
    "orthogonal.decision-boundary-certified",
    "orthogonal.learning-from-perturbations",
    "orthogonal.learning-from-perturbations-certified",
}
# (statement, condition) → the primitive that ball arithmetic lacks for it; none at present.
LACKING: dict[tuple[str, str], str] = {}
# What no precision decides on these instances, because the margin's own error, which the instance
# carries as a number, is larger than the margin, or says that nothing is known.
UNDECIDED = {
    ("orthogonal.decision-boundary-quadratic", "cone never left"),
    ("separability.ntk-terms", "ΔD within its bound"),
}
IDS = [i for i, s in REGISTRY.items() if s.kind == "deterministic"]


def test_every_small_setting_is_of_a_deterministic_statement():
    assert set(SMALL) <= set(IDS)
    assert set(LONG) <= set(IDS)


@pytest.mark.parametrize(
    "id", [pytest.param(i, marks=pytest.mark.slow) if i in LONG else i for i in IDS]
)
def test_the_enclosure_of_every_condition_meets_what_float64_finds(id):
    statement = REGISTRY[id]
    config = dataclasses.replace(statement.config, **SMALL.get(id, {}))
    with arithmetic("float64"), jax.threefry_partitionable(True):
        sample = jax.jit(lambda key: statement.sample(key, config), compiler_options=quick())
        instance = jax.device_get(sample(make_key(3)))
        if statement.solve:
            instance = statement.solved(instance)
    evidence = evaluate_instance(statement, instance, config)
    found = {**evidence.hypotheses, **evidence.measured}
    conditions = {**statement.hypotheses, **statement.measured}
    checks = [(name, c.check, c.stage, found[name]) for name, c in conditions.items()]
    assert isinstance(statement.claim, ByOutcome)
    concluded = known(evidence.conclusion)
    checks.append(("conclusion", statement.claim.conclusion, None, concluded))
    for name, check, stage, margin in checks:
        seen = seen_from(instance, stage)
        if (id, name) in LACKING:
            with pytest.raises(MissingPrimitive, match=LACKING[id, name]):
                decide(check, seen, config)
            continue
        enclosed = decide(check, seen, config)
        assert meets(enclosed.value, margin), (name, enclosed, margin.value, margin.error)
        assert enclosed.proved != ((id, name) in UNDECIDED), (name, enclosed)
        if enclosed.proved and not margin.undecided[0]:
            assert bool(margin.holds[0]) == (enclosed.verdict == "holds"), (name, enclosed, margin)


def quick():
    return quick_to_compile(0)


def meets(value, margin):
    """Whether the ball meets [value − error, value + error] of float64."""
    (number,), (error,) = margin.value, margin.error
    if np.isinf(error):
        return True
    (x,) = value.balls.reshape(-1)
    with _bits(200):
        return bool(x.overlaps(flint.arb(float(number), float(error))))


def test_a_margin_off_by_more_than_its_error_is_seen():
    claim = REGISTRY["separability.tails"].claim
    assert isinstance(claim, ByOutcome)
    enclosed = decide(lambda x, _: claim.conclusion(Staged({"solution": x}), None), tails())
    (x,) = enclosed.value.balls.reshape(-1)
    value = np.array([float(x.mid())])

    class Off:
        def __init__(self, by):
            self.value, self.error = value + by, np.array([1e-12])

    assert meets(enclosed.value, Off(0))
    assert not meets(enclosed.value, Off(1e-11))


def tails():
    from theory.statements.separability.tails import Tails

    return Tails(np.array([0.1, 0.2]), np.array([0.3, 0.25]))
