"""Programs of certificates: a second arithmetic, which agrees with the first and with float64."""

import dataclasses

import flint
import jax
import jax.numpy as jnp
import jax.scipy.special as special
import numpy as np
import pytest

from experiments.certificates import functions, program
from experiments.certificates.tracing import Untraceable, names_of, written
from theory.certificates.ball import decide, enclose
from theory.certificates.ball.enclosing import _bits
from theory.margins import Margin, margin
from theory.statements.registry import REGISTRY
from theory.verification.kinds import ByOutcome
from theory.verification.programs import arithmetic

POINTS = np.arange(12.0).reshape(4, 3) ** 1.5 / 8 - 2.3
MATRIX = np.array([[4.0, 1.0, -2.0], [1.0, 3.0, 0.5], [-2.0, 0.5, 5.0]])
SPD = MATRIX + 3 * np.eye(3)

WRITTEN = {
    "arithmetic": lambda x: (x + 2) * x - x / 3 + x**3 - x**-2 + jnp.square(x),
    "powers": lambda x: jnp.abs(x) ** 1.5 + jnp.sqrt(x * x + 1) + jax.lax.rsqrt(x * x + 1),
    "powers of integers": lambda x: jax.lax.pow(x, jnp.arange(12).reshape(4, 3) - 3),
    "exponentials": lambda x: jnp.exp(x) + jnp.expm1(x) + jnp.log(jnp.abs(x)) + jnp.log1p(x * x),
    "hyperbolic": lambda x: jnp.tanh(x) + jnp.sinh(x) + jnp.cosh(x) + jax.nn.sigmoid(x),
    "inverse": lambda x: jnp.arctan(x) + jnp.arcsinh(x) + jnp.arctan2(x, 1 + x * x),
    "inside one": lambda x: jnp.arcsin(x / 9) + jnp.arccos(x / 9) + jnp.arctanh(x / 9),
    "waves": lambda x: jnp.sin(x) + jnp.cos(x) + jnp.tan(x / 4) + jnp.arccosh(2 + x * x),
    "errors": lambda x: special.erf(x) + special.erfc(x) + special.erfinv(x / 9),
    "gamma": lambda x: special.gammaln(x * x + 1) + special.digamma(x * x + 1),
    "incomplete gamma": lambda x: special.gammainc(2.5, x * x) - special.gammaincc(2.5, x * x),
    "whole": lambda x: jnp.floor(x) + jnp.ceil(x) + jnp.sign(x) + jnp.clip(x, -1.0, 2.0),
    "choices": lambda x: jnp.where((x > 1) | ~(x < -1) & (x != 2), x, jnp.where(x >= 0, x, -2.0)),
    "truths": lambda x: ((x > 1) == (x > 0)).astype(float) + ((x > 1) != (x <= 0)).astype(float),
    "finite": lambda x: jnp.where(jnp.isfinite(x) & ~jnp.isnan(x), x, 0),
    "order": lambda x: jnp.maximum(x, 0.5) + jnp.minimum(x, x.T[:3, :1].T),
    "moves": lambda x: jnp.concatenate([x[::-1, 1:], jnp.pad(x, 1)[:4, :2]], axis=1).T,
    "gather": lambda x: x[jnp.array([2, 0]), jnp.array([1, 2])] + jnp.diagonal(x @ x.T)[:2],
    "folds": lambda x: x.sum(0) + x.prod(0) + x.max(0) + x.min(0) + x.sum(),
    "all": lambda x: jnp.where((x > -9).all(0) & (x > 1).any(0), x.mean(0), 0),
    "products": lambda x: jnp.einsum("ij,kj->ik", x, x) @ x + x @ MATRIX,
    "batches": lambda x: jnp.einsum("ij,ik->ijk", x, x) @ jnp.ones((4, 3, 2)),
    "frexp": lambda x: jnp.frexp(x)[0] * jnp.frexp(x)[1].astype(float) + jnp.ldexp(x, 3),
    "cholesky": lambda x: jnp.linalg.cholesky(SPD + x.T @ x / 9),
    "triangular": lambda x: jnp.stack([
        jax.scipy.linalg.solve_triangular(SPD + x.T @ x, x.T, lower=low, trans=trans)
        for low in (True, False) for trans in (0, 1)
    ]),
    "from the right": lambda x: jax.lax.linalg.triangular_solve(SPD + x.T @ x, x, lower=True),
    "norms": lambda x: jnp.linalg.norm(x, axis=1),
    "custom derivative": lambda x: jax.nn.relu(x) + jax.nn.softplus(x),
}  # fmt: skip


def inputs_of(instance):
    found = {}
    for name, leaf in zip(names_of(instance), jax.tree.leaves(instance), strict=True):
        array = np.asarray(leaf)
        values = array.reshape(-1).tolist()
        real = array.dtype.kind == "f"
        found[name] = [functions.real(v.hex()) for v in values] if real else values
    return found


@pytest.mark.parametrize("name", WRITTEN)
def test_a_program_has_the_value_of_its_function(name):
    """Of float64 to its roundings; and its balls meet those of the other arithmetic."""
    function = WRITTEN[name]
    with jax.numpy_rank_promotion("allow"):
        # The margin of all entries, one after the other.
        found = written(lambda x, _: margin(function(x).reshape(-1)), POINTS, None)
        expected = np.asarray(jax.jit(function)(POINTS)).reshape(-1)
        enclosed = enclose(lambda x: function(x).reshape(-1), POINTS, digits=40)
    with _bits(160):
        values = program.evaluate(found.steps, inputs_of(POINTS))[found.value]
        assert all(a.overlaps(b) for a, b in zip(values, enclosed.balls, strict=True))
        assert all(x.rad() <= flint.arb("1e-35") * (1 + abs(x)) for x in values)
    middles = [float(x.mid()) for x in values]
    np.testing.assert_allclose(middles, expected, rtol=1e-11, atol=1e-12)


def test_each_function_has_been_called():
    """Those of integers and truths too, but for a few that no condition here has."""
    seen = set()
    with jax.numpy_rank_promotion("allow"):
        for function in WRITTEN.values():
            steps = written(lambda x, _, f=function: margin(f(x).reshape(-1)), POINTS, None).steps
            seen.update(s["function"] for s in steps if s["op"] == "map")
    left = {n for n in functions.FUNCTIONS if not n.startswith("integer")} - seen
    assert left == set()


def test_a_wrong_function_is_noticed(monkeypatch):
    wrong = {**functions.FUNCTIONS, "exp": lambda x: x.exp() * (1 + flint.arb("1e-20"))}
    monkeypatch.setattr(program, "FUNCTIONS", wrong)
    with pytest.raises(AssertionError):
        test_a_program_has_the_value_of_its_function("exponentials")


UNWRITTEN = {
    "sort": lambda x: jnp.sort(x, axis=0),
    "while": lambda x: jax.lax.while_loop(lambda v: v.max() > 1, lambda v: v / 3, x),
    "scan": lambda x: jnp.cumsum(x, axis=0),
    "places that depend on the instance": lambda x: x[jnp.floor(x[0, 0]).astype(int)],
    "argmax": lambda x: jnp.argmax(x, axis=0).astype(float),
}


@pytest.mark.parametrize("name", UNWRITTEN)
def test_what_has_no_operation_is_said(name):
    with pytest.raises(Untraceable, match=r"no operation for the primitive"):
        written(lambda x, _: margin(UNWRITTEN[name](x).reshape(-1)), POINTS, None)


def test_a_result_that_is_not_needed_may_lack_an_operation():
    def condition(x, _):
        return dataclasses.replace(margin(jnp.sum(x)), ratio=jnp.sort(x[0])[0])

    assert written(condition, POINTS, None).steps


@pytest.mark.parametrize(
    "step",
    [
        {"op": "run"},
        {"op": "map", "function": "exec", "of": []},
    ],
)
def test_an_operation_that_there_is_none_of_is_refused(step):
    with pytest.raises(program.Uncheckable, match="needs the primitive"):
        program.evaluate([step], {})


def test_a_condition_of_the_registry_is_the_same_in_both_arithmetics():
    """The KKT certificate, which solves a linear system, and near-orthogonality, with frexp."""
    statement = REGISTRY["orthogonal.multiplier-range"]
    config = dataclasses.replace(statement.config, n=3, d=12)
    with arithmetic("float64"):
        instance = jax.device_get(jax.jit(lambda k: statement.sample(k, config))(jax.random.key(3)))
    conditions = [*statement.hypotheses.values(), *statement.measured.values()]
    assert isinstance(statement.claim, ByOutcome)
    checks = [*(c.check for c in conditions), statement.claim.conclusion]
    for check in checks:
        found = written(check, instance, config)
        assert found == written(check, instance, config), "the same program again"
        enclosed = decide(check, instance, config)
        with _bits(2 * enclosed.bits):
            values = program.evaluate(found.steps, inputs_of(instance))
            (value,), (error,) = values[found.value], values[found.error]
            assert enclosed.value.balls.reshape(-1)[0].overlaps(value)
            assert enclosed.slack.balls.reshape(-1)[0].overlaps(error)


def test_strictness_is_written():
    def condition(x, _):
        return Margin(x, 0 * x, x, strict=False)

    assert not written(condition, np.float64(1.0), None).strict
