"""Parameters as arguments of what is compiled: which can be, and that nothing changes by it."""

import dataclasses
import functools

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import changed
from untyped import compilations, known

from theory import REGISTRY, Deterministic, Parameters, Statement, margin, parameter, parameters
from theory.verification.evaluation import evaluate, traceable_parameters
from theory.verification.memory import largest_batch, memory_needed
from theory.verification.programs import (
    compiled,
    evaluate_draws,
    optimization_level,
    sample_draws,
)
from theory.verification.verify import assess


class Setting(Parameters):
    n: int = parameter(4, "a shape", low=1)
    steps: int = parameter(3, "no shape", low=1, traced=True)
    T: float = parameter(1.0, "used in arrays only", low=0)
    branch: float = parameter(0.5, "looked at by Python", low=0)
    host: float = parameter(0.5, "computed with on the host", low=0, open_low=True)
    label: float = parameter(0.5, "written out", low=0)
    either: float = parameter(0.5, "looked at where `branch` has not been", low=0)
    loss: str = parameter("identity", "a choice", choices=("identity", "logistic"))


def sample(key, config):
    x = jax.random.normal(key, (config.n,)) * config.T + config.steps
    if config.loss == "logistic":
        return x
    if config.branch > 1:
        x = x + 1
    x = x + np.log(config.host) if f"{config.label:g}" else x
    return x + (1.0 if config.either else 2.0)


STATEMENT = Statement(
    id="toy.values",
    sample=sample,
    claim=Deterministic[Setting, jax.Array](lambda x, _: margin(x.sum())),
    config=Setting(),
)
NAMES = ("T", "branch", "steps", "host", "label", "either")


def test_what_python_looks_at_stays_a_constant():
    assert traceable_parameters(STATEMENT, Setting(), NAMES) == ("T", "steps")
    assert traceable_parameters(STATEMENT, Setting(loss="logistic"), NAMES) == NAMES
    assert traceable_parameters(STATEMENT, Setting(), ("branch", "label")) == ()
    assert traceable_parameters(STATEMENT, Setting(), ("n", "loss")) == ()  # no values


def test_parameters_that_can_be_traced_but_not_together():
    def function(key, config):
        return key if isinstance(config.T, float) or isinstance(config.host, float) else 1 / "x"  # pyright: ignore[reportOperatorIssue]

    assert parameters.traceable(function, Setting(), ("T",)) == ("T",)
    assert parameters.traceable(function, Setting(), ("host", "T")) == ("host",)


def test_values_that_leave_the_arrays_stay_constants():
    """A solver's instance whose static part is a traced value would take it out of its trace."""

    @functools.partial(jax.tree_util.register_dataclass, data_fields=["x"], meta_fields=["T"])
    @dataclasses.dataclass(frozen=True)
    class Instance:
        x: jax.Array
        T: float

    statement = dataclasses.replace(
        STATEMENT,
        sample=lambda key, config: Instance(config.host * jnp.ones(2), config.T),
        solve=lambda instance: instance,
    )
    assert traceable_parameters(statement, Setting(), ("T", "host")) == ("host",)


def test_conditions_see_the_values_of_each_draw(key):
    """With a solver too, and where Python looks at a value in a condition alone."""

    def conclusion(x, config):
        return margin(config.T - x[0] + (1.0 if config.branch > 1 else 0.0))

    plain = changed(STATEMENT, conclusion=conclusion)
    for statement in (plain, dataclasses.replace(plain, solve=lambda instance: instance)):
        for T, branch in ((1.0, 0.5), (2.0, 0.5), (2.0, 1.5)):
            config = Setting(T=T, branch=branch)
            names = traceable_parameters(statement, config, ("T", "branch"))
            assert "T" in names
            found = evaluate(statement, key, 3, config, traced=names)
            x = [sample(jax.random.fold_in(key, i), config)[0] for i in range(3)]
            expected = T - np.array(x) + (1 if branch > 1 else 0)
            np.testing.assert_allclose(known(found.conclusion).value, expected, rtol=1e-12)


def test_in_single_precision_every_parameter_is_a_constant():
    with jax.enable_x64(False):
        assert traceable_parameters(STATEMENT, Setting(), ("T",)) == ()


def test_wrong_values_are_refused_as_ever(key):
    """What Python checks is checked, though the compiled function takes the value as it is."""

    def checked(key, config):
        if not isinstance(config.T, jax.core.Tracer) and config.T > 2:
            raise ValueError("T must be at most 2")
        return sample(key, config)

    statement = dataclasses.replace(STATEMENT, sample=checked)
    evaluate(statement, key, 3, Setting(), traced=("T",))
    with pytest.raises(ValueError, match="T must be at most 2"):
        evaluate(statement, key, 3, Setting(T=3.0), traced=("T",))


def test_a_configuration_and_its_values():
    static, found = parameters.split(Setting(T=2.0), ("T", "steps"))
    assert found == {"T": 2.0, "steps": 3}
    assert static == parameters.split(Setting(steps=9), ("T", "steps"))[0]
    assert hash(static) == hash(parameters.split(Setting(), ("T", "steps"))[0])
    assert static != parameters.split(Setting(n=5), ("T", "steps"))[0]
    assert parameters.filled(static, found) == Setting(T=2.0)
    assert parameters.split(None, ()) == (None, {})


SWEPT = [
    ("lazy.activation-rate", {"T": (0.5, 1.0, 2.0), "slope": (0.0, 0.2, 0.9)}),
    ("ntk.kernel-bound", {"T": (0.5, 1.0, 4.0), "slope": (0.0, 0.2, 0.9)}),
]
SLOW = [
    ("lazy.initial-gradient", {"slope": (0.0, 0.3, 0.9)}),
    ("orthogonal.multiplier-range", {"slope": (0.2, 0.5, 0.9), "load": (0.3, 0.9, 1.5)}),
    ("separability.ntk-movement", {"loss_below": (0.05, 0.1, 0.3)}),
    ("separability.generalization", {"separation": (0.2, 0.6, 1.5), "epsilon": (0.2, 0.1, 0.05)}),
    ("lazy.margin-f", {"epsilon": (0.5, 1.0, 2.0), "slope": (0.0, 0.2, 0.5)}),
    ("lazy.dynamics-logistic", {"T": (0.5, 1.0, 2.0), "slope": (0.0, 0.2, 0.5)}),
    ("lazy.prediction-matching-published", {"epsilon": (0.5, 1.0, 2.0)}),
    ("orthogonal.decision-boundary-quadratic", {"load": (0.3, 0.9, 1.5)}),
    ("orthogonal.learning-from-perturbations", {"slope": (0.3, 0.5, 0.8)}),
    ("orthogonal.noise-accuracy", {"epsilon": (0.02, 0.05, 0.1)}),
    ("ntk.linearization", {"T": (0.5, 1.0, 2.0), "slope": (0.1, 0.3, 0.6)}),
    ("ntk.mean-correction", {"T": (0.5, 1.0, 2.0)}),
]


@pytest.mark.parametrize(
    ("id", "changes"), [*SWEPT, *(pytest.param(*s, marks=pytest.mark.slow) for s in SLOW)]
)
def test_statements_are_compiled_once_for_all_values(id, changes):
    """And the evidence and the verdict are those of `verify`.

    To 1e-9: traced and constant float64 round differently, by some 1e-16 of the largest terms.
    """
    statement, key, names = REGISTRY[id], jax.random.key(5), tuple(changes)
    assert traceable_parameters(statement, statement.config, names) == names
    program = (sample_draws, (0, 1, 5)) if statement.solve else (evaluate_draws, (0, 1, 4, 5))
    run = compiled(*program, level=optimization_level(statement, 4))
    before, seen, config, found = compilations(run), [], statement.config, None
    for chosen in zip(*changes.values(), strict=True):
        config = dataclasses.replace(statement.config, **dict(zip(names, chosen, strict=True)))
        fit = largest_batch(statement, key, 4, config, limit=10**11, traced=names)
        assert fit.memory == memory_needed(statement, key, 4, config, batch=fit.batch, traced=names)
        found = evaluate(statement, key, 4, config, batch=fit.batch, traced=names)
        seen.append(jax.tree.leaves(found))
    assert compilations(run) == before + 1
    assert all(
        any((a != b).any() for a, b in zip(seen[i], seen[j], strict=True))
        for i, j in ((0, 1), (0, 2), (1, 2))
    )
    assert found is not None
    expected = evaluate(statement, key, 4, config)
    numbers = [e._replace(identity=None, beside_keys=None) for e in (found, expected)]
    for one, other in zip(*map(jax.tree.leaves, numbers), strict=True):  # bits may round otherwise
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    verdicts = [assess(statement, e, config=config) for e in (found, expected)]
    assert verdicts[0].verdict == verdicts[1].verdict
    assert verdicts[0].outcomes == verdicts[1].outcomes
