"""The stable rank of the limit: by hand, on default data, and against what it is not."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from statement_checks import check_default

from theory import REGISTRY
from theory.certificates.max_margin import solve
from theory.compilation import quick_to_compile
from theory.statements.orthogonal import stable_rank
from theory.statements.orthogonal.boundary import Points
from theory.verification.stages import Staged

DRAWS = {"orthogonal.stable-rank": 16, "orthogonal.stable-rank-range": 64}
RANGE = REGISTRY["orthogonal.stable-rank-range"]


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


# --- by hand --------------------------------------------------------------------------------------


@functools.cache
def of_orthonormal(slope):
    """Number of points +1 → stable rank of the closed form on eight orthonormal points."""
    plus = (1, 3, 4, 8)
    y = jnp.stack([jnp.where(jnp.arange(8) < k, 1.0, -1.0) for k in plus])
    found = jax.jit(jax.vmap(lambda y: stable_rank.of_limit(solve(jnp.eye(8), y, slope))))(y)
    return {k: jax.tree.map(lambda part, i=i: part[i], found) for i, k in enumerate(plus)}


def test_as_many_orthonormal_points_of_either_label():
    """2(1+γ²)/(1+γ)² = 2.02/1.21 = 1.669 at γ = 0.1."""
    found = of_orthonormal(0.1)[4]
    assert abs(found.value - 2.02 / 1.21) <= found.error < 1e-10


@pytest.mark.parametrize("plus", [1, 3, 8])
def test_orthonormal_points_of_unequal_labels(plus):
    """(1+γ²)/((1+γ²)/2 + √(β²(1−γ²)²/4 + γ²)), β = (n₊ − n₋)/n; 1 where there is one label."""
    slope, beta = 0.1, (2 * plus - 8) / 8
    root = (beta**2 * (1 - slope**2) ** 2 / 4 + slope**2) ** 0.5
    found = of_orthonormal(slope)[plus]
    expected = (1 + slope**2) / ((1 + slope**2) / 2 + root)
    assert abs(found.value - expected) <= found.error < 1e-10
    assert (plus < 8) == (found.value > 1.1)


@functools.partial(jax.jit, compiler_options=quick_to_compile(0))
def of_three(x, y):
    """The closed form of three points in ℝ³ with its stable rank, and whether that is in range."""
    solved = solve(x, y, 0.5)
    drawn = Staged({"points": Points(x, y), "closed_form": solved})
    return solved, stable_rank.of_limit(solved), stable_rank._range(drawn, RANGE.config)


def test_the_formula_is_that_of_the_weights():
    """Against singular values of all rows, for points in no special position."""
    x = jnp.array([[2.0, 0.3, -0.1], [-0.4, 1.0, 0.2], [0.5, 0.1, -3.0]])
    solved, found, _ = of_three(x, jnp.array([1.0, -1.0, 1.0]))
    w = np.repeat(np.stack([solved.limit.u_plus, solved.limit.u_minus]), 3, axis=0)
    values = np.linalg.svd(w, compute_uv=False)
    assert values[2] < 1e-12 * values[0]  # rank 2
    assert abs(found.value - (values**2).sum() / values[0] ** 2) <= found.error < 1e-10


def test_nothing_is_known_of_the_rank_where_nothing_is_known_of_the_multipliers():
    _, found, concluded = of_three(jnp.ones((3, 3)), jnp.ones(3))  # H is singular
    assert found.error == jnp.inf
    assert concluded.undecided


@pytest.mark.parametrize(("odds", "plus"), [(1.0, 4), (1 / 7, 1), (3 / 5, 3), (0.0, 8)])
def test_both_ends_meet_at_orthogonal_points(odds, plus):
    found = of_orthonormal(0.1)[plus]
    for of in (stable_rank.lowest, stable_rank.highest):
        end = of(jnp.array(odds), jnp.array(0.0), 0.1)
        assert abs(end - found.value) <= found.error + 1e-14


def test_ends_by_hand():
    """γ = ½, h = γ³/3 = 1/24: e = 2/23, t between 0.334 and 0.386."""
    e, c, g = 2 / 23, 0.8, 0.36
    k = (2 + e) / (2 - e)
    t = g * 4 * k / (1 + k) ** 2 * ((1 - c * e / 2) ** 2 - e**2 / 4), g * (1 + c * e / 2) ** 2
    for of, value in zip((stable_rank.lowest, stable_rank.highest), t, strict=True):
        found = of(jnp.array(1.0), jnp.array(1 / 24), 0.5)
        assert float(found) == pytest.approx(2 / (1 + (1 - value) ** 0.5), rel=1e-12)


@pytest.mark.parametrize("load", [0.5, 2.0])
@pytest.mark.parametrize("odds", [0.0, 0.5, 1.0])
def test_far_from_orthogonal_the_range_is_everything(odds, load):
    low, high = (
        of(jnp.array(odds), jnp.array(load), 0.5)
        for of in (stable_rank.lowest, stable_rank.highest)
    )
    assert low == 1
    assert high == (2 if odds else 1)  # of one label the rank is 1, whatever the points


def test_points_of_unequal_norms_and_labels_are_in_the_range():
    """Weights 1/‖x_k‖² in the odds; without them the range would be another one."""
    x = jnp.diag(jnp.array([1.0, 2.0, 3.0])).at[0, 1].set(1e-3)
    _, found, concluded = of_three(x, jnp.array([1.0, -1.0, 1.0]))
    assert concluded.holds
    low, high = (
        of(jnp.array(0.5), jnp.array(6e-3), 0.5) for of in (stable_rank.lowest, stable_rank.highest)
    )
    assert not low < found.value < high


# --- against what it is not -----------------------------------------------------------------------


def drawn(id, draws):
    """Draws of a default, made by one program."""
    statement = REGISTRY[id]
    sample = jax.vmap(lambda key: statement.sample(key, statement.config))
    sample = jax.jit(sample, compiler_options=quick_to_compile(0))
    return sample(jax.random.split(jax.random.key(5), draws))


@functools.cache
def networks():
    """Eight draws, trained once for all tests below."""
    return drawn("orthogonal.stable-rank", 8)


def concluded():
    config = REGISTRY["orthogonal.stable-rank"].config
    return jax.vmap(lambda one: stable_rank._equal(one, config))(networks())


def without_the_other_label(solved):
    """u± = Σ over the own label alone: γ forgotten."""
    positive = jnp.where(solved.y > 0, solved.limit.multipliers, 0)
    negative = jnp.where(solved.y < 0, solved.limit.multipliers, 0)
    limit = solved.limit._replace(u_plus=positive @ solved.x, u_minus=negative @ solved.x)
    return TRUE(dataclasses.replace(solved, limit=limit))


TRUE = stable_rank.of_limit
FALSE = {
    "that of the rows of one sign": lambda solved: stable_rank.Value(
        jnp.array(1.0), jnp.array(0.0)
    ),
    "the rank": lambda solved: stable_rank.Value(jnp.array(2.0), jnp.array(0.0)),
    "γ forgotten": without_the_other_label,
    "half a per cent less": lambda solved: TRUE(solved)._replace(value=0.995 * TRUE(solved).value),
}


@pytest.mark.parametrize("name", list(FALSE))
def test_trained_networks_tell_another_stable_rank(name, monkeypatch):
    monkeypatch.setattr(stable_rank, "of_limit", FALSE[name])
    assert concluded().fails.all()


def test_trained_networks_have_the_rank_of_the_closed_form_and_each_half_has_one():
    assert concluded().holds.all()
    found = networks().training
    w = found.trained.params.w
    for half in (w[:, : w.shape[1] // 2], w[:, w.shape[1] // 2 :]):
        assert (jax.vmap(stable_rank.stable_rank)(half) < 1 + 1e-3).all()
    assert (found.rank > 1.1).all()
    # What is missing to infinite time is what the extrapolation says: half of its bound.
    off = jnp.abs(found.rank - jax.vmap(lambda s: TRUE(s).value)(networks().closed_form))
    assert (off < found.missing).all()
    assert (off > found.missing / 4).all()


def test_the_range_needs_its_correction(monkeypatch):
    """Either end at h = 0, as if near-orthogonal points were orthogonal."""
    instances = drawn("orthogonal.stable-rank-range", 64)
    for end in ("lowest", "highest"):
        true = getattr(stable_rank, end)
        monkeypatch.setattr(stable_rank, end, lambda o, h, slope, of=true: of(o, 0 * h, slope))
        found = jax.vmap(lambda one: stable_rank._range(one, RANGE.config))(instances)
        monkeypatch.setattr(stable_rank, end, true)
        assert 16 < found.fails.sum() < 64
        assert not found.undecided.any()
