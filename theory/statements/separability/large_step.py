"""Family A, Z23: adversarial examples of the large step η = d^{1/4} (Remark 1)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import laws
from theory.attacks import gradient_noise
from theory.claims import Claim
from theory.data import data_parameter, draw, to_sphere
from theory.evidence import Margin, exceeds, rounding_error
from theory.networks import Params, init, input_gradients, outputs
from theory.parameters import Parameters, parameter
from theory.separability import separate
from theory.statements.separability.initialization import (
    NETWORK,
    SOURCE,
    readout_direction,
)
from theory.verification import Statement


class StepSetting(Parameters):
    """One random network and n points scaled to norm √d, moved by ηr_k with η = d^{1/4}."""

    data: Any = data_parameter("sphere")
    n: int = parameter(50, "number of points", low=1)
    d: int = parameter(64, "dimension", low=1)
    m: int = parameter(128, "width", low=1)


class GrowthSetting(Parameters):
    """Networks of growing dimension and of width ratio·d, the step being d^{1/4}."""

    data: Any = data_parameter("sphere")
    n: int = parameter(97, "number of points, whose median is taken", low=3)
    d_min: int = parameter(32, "smallest dimension; the largest is eight times as large", low=1)
    ratio: int = parameter(2, "width over dimension", low=1)

    @property
    def scales(self) -> np.ndarray:
        """The dimensions."""
        return self.d_min * np.array([1, 2, 3, 4, 6, 8])


class SymmetricSetting(Parameters):
    """As `StepSetting`, for points uniform on the sphere."""

    n: int = parameter(144, "number of points", low=1)
    d: int = parameter(64, "dimension", low=1)
    m: int = parameter(256, "width", low=1)


class Network(NamedTuple):
    """A drawn network with labelled points.  x: (n, d).  y: (n,)."""

    params: Params
    x: Float[Array, "n d"]
    y: Float[Array, " n"]


class Examples(NamedTuple):
    """Labelled adversarial examples on the host.

    z: (n, d).  y: (n,) labels.  separable: 1.0 where a separator is certified, otherwise 0.0.
    """

    z: Float[Any, "n d"]
    y: Float[Any, " n"]
    separable: Float[Any, ""]


class Sizes(NamedTuple):
    """value, error: (n,) one number per example and its rounding error.  m, d: sizes."""

    value: Float[Array, " n"]
    error: Float[Array, " n"]
    m: int
    d: int


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
    return Sizes(d**-0.25 * norm, d**-0.25 * error, m, d)


def _ratios(network: Network) -> Float[Array, " n"]:
    """|⟨−Wᵀa, ηr_k⟩|/|⟨−Wᵀa, x_k⟩| = η(1 − s(y_k f(x_k)))|S_k|/|aᵀWx_k| of every point."""
    params, x, y = network
    direction = readout_direction(params).value
    gradients = input_gradients(params, x, NETWORK.slope)
    outputs_here = jnp.sum(gradients * x, axis=1)  # f is homogeneous of degree 1 in x
    step = x.shape[1] ** 0.25 * jax.nn.sigmoid(-y * outputs_here)
    return step * jnp.abs(gradients @ direction) / jnp.abs(x @ direction)


def _median_ratios(key: Array, config: GrowthSetting) -> Float[Array, " scales"]:
    """The median over the points of one network, at every dimension."""
    keys = jax.random.split(key, len(config.scales))
    medians = []
    for key_here, d in zip(keys, config.scales.tolist(), strict=True):
        network = _draw(key_here, config.data, config.n, d, config.ratio * d)
        medians.append(jnp.median(_ratios(network)))
    return jnp.stack(medians)


def _sample_examples(key: Array, config: SymmetricSetting) -> Examples:
    params, x, y = _draw(key, "sphere", config.n, config.d, config.m)
    noise = gradient_noise(params, x, y, NETWORK.slope)
    return Examples(x + config.d**0.25 * noise, y, jnp.zeros(()))


def _decide(examples: Examples) -> Examples:
    """Certifies a separator by linear programming; what is not certain counts as inseparable."""
    z, y = np.asarray(examples.z, float), np.asarray(examples.y, float)
    separable = separate(z, y, max_exact_bits=0).status == "separable"
    return examples._replace(separable=np.asarray(separable, examples.z.dtype))


def _within_step(instance: Sizes) -> Margin:
    """d^{−1/4} > η‖r_k‖/‖x_k‖ for all k."""
    return exceeds(instance.d**-0.25, instance.value, instance.error).all()


def _norm_failure(instance: Sizes) -> float:
    return len(instance.value) * (1 - laws.gradient_norm_cdf(instance.m, instance.d, 1.0))


STATEMENTS = (
    Statement(
        id="separability.large-step",
        kind="probabilistic",
        title="at η = d^{1/4} the noise has relative size at most d^{−1/4}",
        says="P(η‖r_k‖ < d^{−1/4}‖x_k‖ for all k) ≥ 1 − n·P(‖∇f‖² ≥ 1) at η = d^{1/4}, with the "
        "exact law ‖∇f‖² = ‖Da‖²X, X ~ χ²_d/d: the explicit form of O(d^{−1/4}).",
        source=f"{SOURCE}, Remark 1; probability ours",
        sample=_relative_noise,
        conclusion=_within_step,
        failure_probability=_norm_failure,
        config=StepSetting(),
        draws={"quick": 500, "full": 10_000},
        data=True,
        batch=50,
    ),
    Statement(
        id="separability.large-step-separator",
        kind="empirical",
        title="at η = d^{1/4} some separator mostly exists beyond n = 2d",
        says="At n = 2.25d, more than half of the sets {(x_k + ηr_k, y_k)}, η = d^{1/4}, are "
        "linearly separable, with random labels. Of the clean points, which Wendel's theorem "
        "makes separable with probability 2^{1−n}Σ_{k<d} C(n−1, k), it is 9 %. Every separator "
        "is found by linear programming and certified; whatever is not counts as inseparable.",
        source=f"ours, on {SOURCE}, Remark 1",
        sample=_sample_examples,
        solve=_decide,
        quantity=lambda examples: examples.separable,
        claim=lambda config: Claim(0.5, 0.4, side="at least", name="separable sets"),
        config=SymmetricSetting(),
        draws={"quick": 100, "full": 1000},
        batch=50,
    ),
    Statement(
        id="separability.large-step-ratio",
        kind="rate",
        title="at η = d^{1/4}, |⟨−Wᵀa, x^adv − x⟩|/|⟨−Wᵀa, x⟩| grows like d^{1/4}",
        says="The median of |⟨−Wᵀa, x^adv_k − x_k⟩|/|⟨−Wᵀa, x_k⟩| over the points of a network, "
        "x^adv_k = x_k + ηr_k and η = d^{1/4}, grows like d^{1/4}: the noise overweighs the point "
        "as the dimension grows. Printed with O, of which a lower bound is meant; tested on both "
        "sides. A median, because the ratio has the law of a quotient by a normal variable and so "
        "no mean. Allowance: 0.03, as terms of relative order 1/d put the exponent at 0.272 "
        "between d = 32 and 256. Nothing is said about whether −Wᵀa separates all of the examples.",
        source=f"{SOURCE}, Remark 1",
        sample=_median_ratios,
        quantity=lambda medians: medians,
        scales=lambda config: config.scales,
        claim=lambda config: Claim(0.25, 0.05, name="exponent of the ratio", tolerance=0.03),
        config=GrowthSetting(),
        draws={"quick": 100, "full": 1000},
        data=True,
        batch=20,
    ),
)
