"""Family A, Z23: adversarial examples of the large step η = d^{1/4} (Remark 1)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import fields
from theory.certificates.separability import separate
from theory.data.sampling import data_parameter, draw, to_sphere
from theory.margins import Margin, exceeds, measured, rounding_error
from theory.networks.network import Params, init, outputs
from theory.parameters import Parameters, parameter
from theory.perturbations import initialization
from theory.perturbations.attacks import gradient_noise
from theory.perturbations.noise_alignment import NETWORK
from theory.statements.separability.initialization import DRAWN, SOURCE
from theory.verification.claims import Claim
from theory.verification.kinds import Empirical, Probabilistic, Rate
from theory.verification.stages import Staged
from theory.verification.statement import Statement


class StepSetting(Parameters):
    """One random network and n points scaled to norm √d, moved by ηr_k with η = d^{1/4}."""

    data: Any = data_parameter("sphere")
    n: int = fields.points(50, "number of points")
    d: int = fields.dimension(64)
    m: int = fields.width(128)


class GrowthSetting(Parameters):
    """Networks of growing dimension and of width ratio·d, the step being d^{1/4}."""

    n: int = fields.points(201, "number of networks, whose median is taken", low=3)
    d_min: int = parameter(512, "smallest dimension; the largest is 32 times as large", low=32)
    ratio: int = parameter(2, "width over dimension", low=1)

    @property
    def scales(self) -> np.ndarray:
        """The dimensions."""
        return self.d_min * 2 ** np.arange(6)


class SymmetricSetting(Parameters):
    """As `StepSetting`, for points uniform on the sphere."""

    n: int = fields.points(144, "number of points")
    d: int = fields.dimension(64)
    m: int = fields.width(256)


class Network(NamedTuple):
    """A drawn network with labelled points.  x: (n, d).  y: (n,)."""

    params: Params
    x: Float[Array, "n d"]
    y: Float[Array, " n"]


class Examples(NamedTuple):
    """Labelled adversarial examples.  z: (n, d).  y: (n,) labels."""

    z: Float[Any, "n d"]
    y: Float[Any, " n"]


class Sizes(NamedTuple):
    """value, error: (n,) one number per example and its rounding error."""

    value: Float[Array, " n"]
    error: Float[Array, " n"]


def _draw(key: Array, data: Any, n: int, d: int, m: int) -> Network:
    key_data, key_init = jax.random.split(key)
    points = draw(key_data, data, n, d, queries=0)
    return Network(init(NETWORK, key_init, m, d), to_sphere(points.x), points.y)


def _doubt(network: Network) -> tuple[Array, Array]:
    """1 − s(y_k f(x_k)) of every point, and its rounding error: the sigmoid's slope is ≤ ¼."""
    params, x, y = network
    doubt = jax.nn.sigmoid(-y * outputs(params, x, NETWORK.slope))
    magnitude = (jnp.abs(x) @ jnp.abs(params.w).T) @ jnp.abs(params.a)
    return doubt, rounding_error(sum(params.w.shape) + 4, magnitude) / 4 + rounding_error(8, doubt)


def _relative_noise(key: Array, config: StepSetting) -> Sizes:
    """η‖r_k‖/‖x_k‖ = d^{−1/4}(1 − s)‖∇f(x_k)‖; ‖∇f‖ = √⟨∇f, ∇f⟩ with its error."""
    m, d = config.m, config.d
    network = _draw(key, config.data, config.n, d, m)
    params, x, y = network
    noise = gradient_noise(params, x, y, NETWORK.slope)
    doubt, doubt_error = _doubt(network)
    # Rounding of a gradient, with activations in doubt: its error along its own direction.
    size_a, size_w = jnp.abs(params.a), jnp.abs(params.w)
    h = jnp.abs(x @ params.w.T)
    in_doubt = jnp.where(h <= rounding_error(d + 2, jnp.abs(x) @ size_w.T), 1.0, 0.0)
    gradient_error = rounding_error(m + d + 8, jnp.linalg.norm(size_a @ size_w))
    gradient_error = gradient_error + in_doubt @ (size_a * jnp.linalg.norm(size_w, axis=1))
    norm = jnp.linalg.norm(noise, axis=1)
    error = doubt * gradient_error + norm / doubt * doubt_error + rounding_error(d + 8, norm)
    return Sizes(d**-0.25 * norm, d**-0.25 * error)


class Projections(NamedTuple):
    """u = aᵀWx, f = f(x) and S = aᵀWWᵀD_x a of independent networks, each at one point.

    size_u, size_s: sums of the absolute values of the terms that make up u and S.
    """

    u: Float[Array, " n"]
    f: Float[Array, " n"]
    s: Float[Array, " n"]
    size_u: Float[Array, " n"]
    size_s: Float[Array, " n"]


def projections(key: Array, n: int, m: Any, d: Any) -> Projections:
    """Draws (u, f, S) at a point of norm √d from its exact law, without any weights.

    h = Wx ~ N(0, I_m) has N ~ Bin(m, ½) positive entries, of squared norm c₊ ~ χ²_N, the others
    c₋ ~ χ²_{m−N}. The active and inactive readouts have components g₊/√m and g₋/√m along |h|, and
    the squared norms A = (g₊² + χ²_{N−1})/m and B = (g₋² + χ²_{m−N−1})/m, so that

      f = √c₊ g₊/√m,  u = f − √c₋ g₋/√m,  S = uf/d + A X + √(A B X/d) Z,  X ~ χ²_{d−1}/d:

    the part of W along x gives uf/d, and the rest is independent of h.

    Args:
      key: random key.
      n: number of draws.
      m, d: width, at least 64 (N is kept between 2 and m − 2), and dimension; may be traced.
    """
    key_n, key_chi, key_normal = jax.random.split(key, 3)
    active = jnp.clip(jax.random.binomial(key_n, 1.0 * m, 0.5, (n,)), 2.0, m - 2.0)
    freedom = jnp.stack(
        [active, m - active, active - 1, m - active - 1, jnp.full_like(active, d - 1.0)]
    )
    squares = 2 * jax.random.gamma(key_chi, freedom / 2)
    along, across, z = jax.random.normal(key_normal, (3, n))
    f = jnp.sqrt(squares[0] / m) * along
    other = jnp.sqrt(squares[1] / m) * across
    u = f - other
    a, b, x = (along**2 + squares[2]) / m, (across**2 + squares[3]) / m, squares[4] / d
    rest = jnp.sqrt(a * b * x / d) * z
    size_s = jnp.abs(u * f) / d + a * x + jnp.abs(rest)
    return Projections(u, f, u * f / d + a * x + rest, jnp.abs(f) + jnp.abs(other), size_s)


def step_ratios(drawn: Projections, d: Any) -> Float[Array, " n"]:
    """|⟨−Wᵀa, ηr⟩|/|⟨−Wᵀa, x⟩| = η s(−yf)|S|/|u| at η = d^{1/4} and y = 1.

    (u, f, S) and (−u, −f, S) have the same law, so that the label does not matter.
    """
    return d**0.25 * jax.nn.sigmoid(-drawn.f) * jnp.abs(drawn.s) / jnp.abs(drawn.u)


class Medians(NamedTuple):
    """Medians of the ratio and bounds on their rounding errors, at every dimension."""

    value: Float[Array, " scales"]
    error: Float[Array, " scales"]


def _median_ratios(key: Array, config: GrowthSetting) -> Medians:
    """The median over independent networks; its logarithm is off by no more than some ratio's."""
    scales = jnp.asarray(config.scales, float)

    def at(of: tuple[Array, Array]) -> Medians:
        key_here, d = of
        drawn = projections(key_here, config.n, config.ratio * d, d)
        median = jnp.median(step_ratios(drawn, d))
        relative = drawn.size_u / jnp.abs(drawn.u) + drawn.size_s / jnp.abs(drawn.s)
        relative = relative + 2 + jnp.abs(drawn.f)  # of η and the sigmoid
        return Medians(median, median * jnp.max(rounding_error(4 * DRAWN, relative)))

    return jax.lax.map(at, (jax.random.split(key, len(scales)), scales))


def _examples(key: Array, earlier: Staged, config: SymmetricSetting) -> Examples:
    params, x, y = _draw(key, "sphere", config.n, config.d, config.m)
    noise = gradient_noise(params, x, y, NETWORK.slope)
    return Examples(x + config.d**0.25 * noise, y)


def _separable(drawn: Staged) -> np.ndarray:
    """1 where linear programming finds a separator and certifies it, otherwise 0."""
    z, y = np.asarray(drawn.examples.z, float), np.asarray(drawn.examples.y, float)
    found = separate(z, y, max_exact_bits=0).status == "separable"
    return np.asarray(found, drawn.examples.z.dtype)


def _within_step(instance: Sizes, config: StepSetting) -> Margin:
    """d^{−1/4} > η‖r_k‖/‖x_k‖ for all k."""
    return exceeds(config.d**-0.25, instance.value, instance.error).all()


def _norm_failure(instance: Sizes, config: StepSetting) -> float:
    return len(instance.value) * (1 - initialization.gradient_norm_cdf(config.m, config.d, 1.0))


STATEMENTS = (
    Statement(
        id="separability.large-step",
        title="at η = d^{1/4} the noise has relative size at most d^{−1/4}",
        says="P(η‖r_k‖ < d^{−1/4}‖x_k‖ for all k) ≥ 1 − n·P(‖∇f‖² ≥ 1) at η = d^{1/4}, with the "
        "exact law ‖∇f‖² = ‖Da‖²X, X ~ χ²_d/d: the explicit form of O(d^{−1/4}).",
        source=f"{SOURCE}, Remark 1; probability ours",
        sample=_relative_noise,
        claim=Probabilistic(
            conclusion=_within_step,
            failure_probability=_norm_failure,
        ),
        config=StepSetting(),
        draws={"quick": 500, "full": 10_000},
        data=True,
        batch=50,
    ),
    Statement[SymmetricSetting, Staged](
        id="separability.large-step-separator",
        title="at η = d^{1/4} some separator mostly exists beyond n = 2d",
        says="At n = 2.25d, more than half of the sets {(x_k + ηr_k, y_k)}, η = d^{1/4}, are "
        "linearly separable, with random labels. Of the clean points, which Wendel's theorem "
        "makes separable with probability 2^{1−n}Σ_{k<d} C(n−1, k), it is 9 %. Every separator "
        "is found by linear programming and certified; whatever is not counts as inseparable.",
        source=f"ours, on {SOURCE}, Remark 1",
        stages={"examples": _examples},
        solve=_separable,
        # Certified or not: a decision, which is not rounded.
        claim=Empirical(
            quantity=lambda i, _: measured(i.solution, 0.0),
            claims=lambda config: Claim(
                0.5, 0.33, side="at least", name="separable sets", bounds=(0, 1)
            ),
        ),
        config=SymmetricSetting(),
        draws={"quick": 100, "full": 1000},
        batch=50,
    ),
    Statement(
        id="separability.large-step-ratio",
        title="at η = d^{1/4}, |⟨−Wᵀa, x^adv − x⟩|/|⟨−Wᵀa, x⟩| grows like d^{1/4}",
        says="The median over networks of |⟨−Wᵀa, x^adv − x⟩|/|⟨−Wᵀa, x⟩|, x^adv = x + ηr and "
        "η = d^{1/4}, grows like d^{1/4}: the noise overweighs the point as the dimension grows. "
        "Printed with O, of which a lower bound is meant; tested on both sides. A median, because "
        "the ratio has the law of a quotient by a normal variable and so no mean. Measured: those "
        "of n draws from the exact law. Allowance: 0.005, as terms of relative order 1/d put the "
        "exponent at 0.252 from d = 512 on. Nothing is said about whether −Wᵀa separates all of "
        "the examples.",
        source=f"{SOURCE}, Remark 1",
        sample=_median_ratios,
        claim=Rate(
            quantity=lambda medians, _: measured(medians.value, medians.error),
            claims=lambda config: Claim(0.25, 0.02, name="exponent of the ratio", tolerance=0.005),
            scales=lambda config: config.scales,
        ),
        config=GrowthSetting(),
        draws={"quick": 128, "full": 1000},
        batch=32,
    ),
)
