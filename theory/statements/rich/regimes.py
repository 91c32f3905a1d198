"""How large or small α must be for the limit to be nearly the least ℓ₂ or the least ℓ₁ norm."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import fields
from theory._scaling import whole_norm
from theory.certificates import hypentropy
from theory.certificates.hypentropy import Bounds, Labels
from theory.certificates.linear_solve import enclosed_solution
from theory.data.sampling import data_parameter
from theory.margins import Margin, at_least, rounding_error
from theory.parameters import Parameters, parameter
from theory.statements.rich.flow import Problem, unit_points
from theory.verification.domains import Reals
from theory.verification.kinds import Deterministic
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, OnData, Statement

SOURCE = "Woodworth et al. 2020, Theorem 2"
OURS = f"ours, sharper than {SOURCE}"
LARGE = {"x": Reals(), "y": Reals(), "log_alpha": Reals(-300, 50)}
SMALL = LARGE | {"log_alpha": Reals(hypentropy.SMALLEST, 50)}


class RegimeSetting(Parameters):
    """Fewer points than dimensions, how near the least norm is asked for, and where α is."""

    data: Any = data_parameter("sphere")
    n: int = fields.points(4)
    d: int = fields.dimension(12)
    epsilon: float = parameter(
        0.1, "ε, of the least norm or its square", low=0, high=1, open_low=True
    )
    log_factor: float = parameter(
        0.0, "logarithm of α over the α that the theorem allows for certain"
    )


class Proposed(NamedTuple):
    """nu: (n,) ν of the limit.  beta: (d,), mu: (n,) of the least ℓ₁ norm and its dual."""

    nu: Float[Any, " n"]
    beta: Float[Any, " d"]
    mu: Float[Any, " n"]


class Solved(NamedTuple):
    """The limit on labels of which it is exactly the limit, and bounds on all errors.

    beta, error: (d,) 2α² sinh(Xᵀν).  labels: X times that.
    """

    beta: Float[Array, " d"]
    error: Float[Array, " d"]
    labels: Labels


def solved(instance: Staged) -> Solved:
    """β = 2α² sinh(Xᵀν) minimizes Q_α among all that have its own labels Xβ, whatever ν is."""
    p: Problem = instance.data
    nu = instance.solution.nu
    (n, d), tau = p.x.shape, nu @ p.x
    beta = hypentropy.at_dual(tau, p.log_alpha)
    moved = rounding_error(n + 4, jnp.abs(nu) @ jnp.abs(p.x))
    moved = moved + rounding_error(8, 1 + 2 * jnp.abs(p.log_alpha) + jnp.abs(tau))
    error = 2 * moved * (jnp.abs(beta) + 2 * jnp.exp(2 * p.log_alpha))
    sums = rounding_error(d + 4, jnp.abs(p.x) @ jnp.abs(beta))
    return Solved(beta, error, Labels(p.x @ beta, jnp.abs(p.x) @ error + sums))


# (‖β*‖, ε, d) → log α that the theorem asks for; of the norm that the theorem is about.
Threshold = Callable[[Array, Any, int], Array]


def kernel_printed(norm: Array, epsilon: Any, d: int) -> Array:
    """½ log(2(1 + ε)(1 + 2/ε)‖β*‖₂)."""
    return jnp.log(2 * (1 + epsilon) * (1 + 2 / epsilon) * norm) / 2


def kernel_sharp(norm: Array, epsilon: Any, d: int) -> Array:
    """½ log(((1 + ε)³/(576ε))^{1/4}‖β*‖₂)."""
    return jnp.log(((1 + epsilon) ** 3 / (576 * epsilon)) ** 0.25 * norm) / 2


def rich_scale(norm: Array, epsilon: Any, d: int) -> Array:
    """−((2 + ε)/(2ε)) log(2(1 + ε)‖β*‖₁), which falls with the norm."""
    return -(2 + epsilon) / (2 * epsilon) * jnp.log(2 * (1 + epsilon) * norm)


def rich_dimension(norm: Array, epsilon: Any, d: int) -> Array:
    """−d/(ε‖β*‖₁), which grows with the norm."""
    return -d / (epsilon * norm)


def rich_sharp(norm: Array, epsilon: Any, d: int) -> Array:
    """½[log ‖β*‖₁ − ((1 + ε)log(ed/(1 + ε)) + 1/d)/ε], which grows with the norm."""
    room = (1 + epsilon) * jnp.log(math.e * d / (1 + epsilon)) + 1 / d
    return (jnp.log(norm) - room / epsilon) / 2


# --- the kernel regime ----------------------------------------------------------------------------


def _least_squares(x: Array, y: Array) -> Array:
    """(d,) the shortest solution, for choosing α: nothing is proved by it."""
    return enclosed_solution(x @ x.T, y).solution @ x


def _kernel_problem(threshold: Threshold) -> Any:
    def stage(key: Array, earlier: Staged, config: RegimeSetting) -> Problem:
        x, y = unit_points(key, config)
        log_alpha = threshold(whole_norm(_least_squares(x, y)), config.epsilon, x.shape[1])
        return Problem(x, y, log_alpha + config.log_factor)

    return stage


def _dual(drawn: Staged) -> Proposed:
    p = drawn.data
    x, y = np.asarray(p.x), np.asarray(p.y)
    nu = hypentropy.dual_solution(x, y, float(p.log_alpha))
    return Proposed(nu, np.zeros(x.shape[1]), np.zeros(len(y)))


def _large(threshold: Threshold) -> Any:
    def check(instance: Staged, config: RegimeSetting) -> Margin:
        p: Problem = instance.data
        square = hypentropy.least_l2_square(p.x, solved(instance).labels)
        usable = square.value > square.error
        norm = jnp.sqrt(jnp.where(usable, square.value, 1))
        least = threshold(norm, config.epsilon, p.x.shape[1])
        error = square.error / jnp.where(usable, square.value - square.error, 1)
        error = error + rounding_error(24, 1 + jnp.abs(least) + jnp.abs(jnp.log(config.epsilon)))
        return at_least(p.log_alpha, least, jnp.where(usable, error, jnp.inf))

    return check


def _nearly_l2(instance: Staged, config: RegimeSetting) -> Margin:
    found, share = solved(instance), 1 + config.epsilon
    square = hypentropy.least_l2_square(instance.data.x, found.labels)
    size = jnp.sum(found.beta**2)
    error = share * square.error + (2 * jnp.abs(found.beta) + found.error) @ found.error
    error = error + rounding_error(len(found.beta) + 8, size + share * square.value)
    return at_least(share * square.value, size, error)


# --- the rich regime ------------------------------------------------------------------------------


def _rich_problem(falling: Threshold | None, growing: Threshold) -> Any:
    """‖β*‖₁ is between ‖β_ls‖₂ and ‖β_ls‖₁, the thresholds are taken at their smaller end."""

    def stage(key: Array, earlier: Staged, config: RegimeSetting) -> Problem:
        x, y = unit_points(key, config)
        shortest, d = _least_squares(x, y), x.shape[1]
        log_alpha = growing(whole_norm(shortest), config.epsilon, d)
        if falling is not None:
            most = falling(jnp.sum(jnp.abs(shortest)), config.epsilon, d)
            log_alpha = jnp.minimum(log_alpha, most)
        return Problem(x, y, log_alpha + config.log_factor)

    return stage


def _dual_and_l1(drawn: Staged) -> Proposed:
    found = _dual(drawn)
    return Proposed(
        found.nu, *hypentropy.least_l1(np.asarray(drawn.data.x), np.asarray(drawn.data.y))
    )


def _l1(instance: Staged) -> Bounds:
    p, s = instance.data, instance.solution
    return hypentropy.l1_bounds(p.x, solved(instance).labels, s.beta, s.mu)


def _small(falling: Threshold | None, growing: Threshold) -> Any:
    def check(instance: Staged, config: RegimeSetting) -> Margin:
        p: Problem = instance.data
        found, d = _l1(instance), instance.data.x.shape[1]
        usable = (found.low > 0) & jnp.isfinite(found.high)
        low, high = (jnp.where(usable, end, 1) for end in found)
        least, most = growing(low, config.epsilon, d), growing(high, config.epsilon, d)
        if falling is not None:
            least = jnp.minimum(least, falling(high, config.epsilon, d))
            most = jnp.minimum(most, falling(low, config.epsilon, d))
        error = (most - least) / 2 + rounding_error(24, 1 + jnp.abs(least) + jnp.abs(most))
        value = (least + most) / 2
        return at_least(value, p.log_alpha, jnp.where(usable, error, jnp.inf))

    return check


def _nearly_l1(instance: Staged, config: RegimeSetting) -> Margin:
    solution, found, share = solved(instance), _l1(instance), 1 + config.epsilon
    size, usable = jnp.sum(jnp.abs(solution.beta)), jnp.isfinite(found.high)
    low, high = (jnp.where(usable, end, 1) for end in found)
    error = share * (high - low) / 2 + jnp.sum(solution.error)
    error = error + rounding_error(len(solution.beta) + 8, size + share * high)
    return at_least(share * (low + high) / 2, size, jnp.where(usable, error, jnp.inf))


def _statement(id: str, title: str, says: str, source: str, name: str, parts: Any) -> Statement:
    problem, solve, check, conclusion, condition = parts
    large = name == "α is large"
    return Statement[RegimeSetting, Staged](
        id=id,
        title=title,
        says=says,
        source=source,
        stages={"data": problem},
        solve=solve,
        hypotheses={name: Hypothesis(check, condition)},
        claim=Deterministic(conclusion=conclusion),
        domain=LARGE if large else SMALL,
        config=RegimeSetting(log_factor=0.01 if large else 0.0),
        draws={"quick": 32, "full": 500},
        data=True,
        on_data={"digits": OnData({"n": 8})},
        batch=32,
    )


def _kernel_parts(threshold: Threshold, condition: str) -> tuple[Any, ...]:
    return (_kernel_problem(threshold), _dual, _large(threshold), _nearly_l2, condition)


def _rich_parts(falling: Threshold | None, growing: Threshold, condition: str) -> tuple[Any, ...]:
    problem, check = _rich_problem(falling, growing), _small(falling, growing)
    return (problem, _dual_and_l1, check, _nearly_l1, condition)


PRINTED_SMALL = "α ≤ min{(2(1 + ε)‖β*_ℓ1‖₁)^{−(2+ε)/(2ε)}, exp(−d/(ε‖β*_ℓ1‖₁))}"
OUR_SMALL = "α² ≤ ‖β*_ℓ1‖₁ exp(−[(1 + ε)log(ed/(1 + ε)) + 1/d]/ε), ε ≤ 1"

STATEMENTS = (
    _statement(
        "rich.kernel-regime",
        "large initial weights: the limit has nearly the least ℓ₂ norm",
        "α ≥ √(2(1 + ε)(1 + 2/ε)‖β*_ℓ2‖₂) implies ‖β^∞‖₂² ≤ (1 + ε)‖β*_ℓ2‖₂², β^∞ the limit of "
        "rich.hypentropy and β*_ℓ2 the shortest interpolation.",
        SOURCE,
        "α is large",
        _kernel_parts(kernel_printed, "α² ≥ 2(1 + ε)(1 + 2/ε)‖β*_ℓ2‖₂"),
    ),
    _statement(
        "rich.kernel-regime-sharp",
        "the same for α² smaller by a factor of order ε^(−3/4)",
        "α² ≥ ((1 + ε)³/(576ε))^{1/4}‖β*_ℓ2‖₂ implies ‖β^∞‖₂² ≤ (1 + ε)‖β*_ℓ2‖₂².",
        OURS,
        "α is large",
        _kernel_parts(kernel_sharp, "α² ≥ ((1 + ε)³/(576ε))^{1/4}‖β*_ℓ2‖₂"),
    ),
    _statement(
        "rich.rich-regime",
        "tiny initial weights: the limit has nearly the least ℓ₁ norm",
        f"{PRINTED_SMALL} implies ‖β^∞‖₁ ≤ (1 + ε)‖β*_ℓ1‖₁, β*_ℓ1 an interpolation of least ℓ₁ "
        "norm.",
        SOURCE,
        "α is small",
        _rich_parts(rich_scale, rich_dimension, PRINTED_SMALL),
    ),
    _statement(
        "rich.rich-regime-sharp",
        "the same with a condition that does not depend on the unit of the labels",
        f"{OUR_SMALL}, implies ‖β^∞‖₁ ≤ (1 + ε)‖β*_ℓ1‖₁.",
        OURS,
        "α is small",
        _rich_parts(None, rich_sharp, OUR_SMALL),
    ),
)
