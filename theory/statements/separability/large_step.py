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
from theory.networks import Params, init, outputs
from theory.parameters import Parameters, parameter
from theory.separability import separate
from theory.statements.separability.initialization import (
    NETWORK,
    SOURCE,
    alignment_along,
    readout_direction,
)
from theory.verification import Hypothesis, Statement


class StepSetting(Parameters):
    """One random network and n points scaled to norm √d, moved by ηr_k with η = d^{1/4}."""

    data: Any = data_parameter("sphere")
    n: int = parameter(50, "number of points", low=1)
    d: int = parameter(64, "dimension", low=1)
    m: int = parameter(128, "width", low=1)


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


def _sample_margins(key: Array, config: Any) -> Sizes:
    """y_k⟨v, x_k + ηr_k⟩ = −y_k aᵀWx_k + η(1 − s)S_k with v = −Wᵀa."""
    network = _draw(key, config.data, config.n, config.d, config.m)
    params, x, y = network
    direction = readout_direction(params)
    alignment = alignment_along(params, x, direction)
    doubt, doubt_error = _doubt(network)
    step = config.d**0.25
    overlap = x @ direction.value
    value = -y * overlap + step * doubt * alignment.value
    magnitude = jnp.abs(x) @ jnp.abs(direction.value) + step * doubt * jnp.abs(alignment.value)
    error = (
        rounding_error(config.d + 8, magnitude)
        + direction.error * jnp.linalg.norm(x, axis=1) * (1 + 1e-3)
        + step * (doubt * alignment.error + doubt_error * jnp.abs(alignment.value))
    )
    return Sizes(value, error, config.m, config.d)


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


def _most(instance: Sizes) -> Margin:
    share = jnp.mean(jnp.where(instance.value > instance.error, 1.0, 0.0))
    unsure = jnp.mean(jnp.where(jnp.abs(instance.value) <= instance.error, 1.0, 0.0))
    return exceeds(share, 0.5, unsure)


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
        id="separability.large-step-as-printed",
        kind="probabilistic",
        title="at η = d^{1/4}, −Wᵀa separates all adversarial examples for d ≤ n",
        says="P(y_k⟨v, x_k + ηr_k⟩ > 0 for all k) ≥ 1/2 with v = −Wᵀa, η = d^{1/4} and n = d: the "
        'weakest reading of "with high probability". Known to fail at every dimension within '
        "reach: in wide networks an example fails with probability 0.26 at d = 100 and 0.067 at "
        "d = 10⁴, and n = d of them are not expected to hold together before d ≈ 4·10¹³.",
        source=f"{SOURCE}, Remark 1",
        sample=_sample_margins,
        measured={
            "most examples": Hypothesis(_most, "more than half of them are on the right side")
        },
        conclusion=lambda instance: exceeds(instance.value, 0.0, instance.error).all(),
        failure_probability=lambda instance: 0.5,
        config=StepSetting(n=100, d=100, m=400),
        erratum="separator-for-large-steps",
        draws={"quick": 50, "full": 2000},
        data=True,
        batch=25,
    ),
)
