"""Family A, Z23 Theorem 3.6 with more samples than dimensions: −W(0)ᵀa(0) separates half."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import movement
from theory.claims import Claim
from theory.data import draw
from theory.networks import Params, init, leaky_relu_derivative, outputs, pre_activations
from theory.parameters import Parameters, parameter
from theory.statements.separability.trained import NETWORK, SOURCE, fit
from theory.verification import Statement

LOADS = (0.25, 8.0)  # n/d


class LoadSetting(Parameters):
    """Networks trained on d/4 and on 8d points of the sphere of radius √d, labels random."""

    d: int = parameter(16, "dimension, a multiple of 4", low=4)
    m: int = parameter(256, "width", low=1)
    steps: int = parameter(120, "steps of accelerated gradient descent", low=1)


def linearized_end(initial: Params, x: Float[Array, "n d"], y: Float[Array, " n"]) -> Params:
    """Where gradient descent on the squared loss takes the linearized network, at equal rates.

    θ − θ₀ = Jᵀ(JJᵀ)⁻¹(y − f₀), J the derivative of the outputs in both layers at initialization.

    Args:
      initial: the network at initialization, without biases.
      x: (n, d) points, n at most the number of weights.
      y: (n,) labels.

    Returns:
      The weights at the end.
    """
    h = pre_activations(initial, x)
    hidden = jnp.maximum(h, 0)
    readouts = leaky_relu_derivative(h, NETWORK.slope) * initial.a[None]
    kernel = hidden @ hidden.T + (readouts @ readouts.T) * (x @ x.T)
    beta = jnp.linalg.solve(kernel, y - outputs(initial, x, NETWORK.slope))
    return initial._replace(
        w=initial.w + (beta[:, None] * readouts).T @ x, a=initial.a + beta @ hidden
    )


def _separated_shares(key: Array, config: LoadSetting) -> Float[Array, "2 loads"]:
    """Share of the training points with S*_k > 0, linearized and trained, at every n/d."""
    key_data, key_init = jax.random.split(key)
    most = int(LOADS[-1] * config.d)
    data = draw(key_data, "sphere", most, config.d, queries=0)
    initial = init(NETWORK, key_init, config.m, config.d)

    def shares(n: int) -> Array:
        x, y = data.x[:n], data.y[:n]
        trained = fit(initial, x, y, steps=config.steps).trained
        ends = (linearized_end(initial, x, y), trained)
        terms = [movement.alignment_terms(initial, end, x).trained for end in ends]
        return jnp.stack([jnp.mean(jnp.where(s > 0, 1.0, 0.0)) for s in terms])

    return jnp.stack([shares(int(load * config.d)) for load in LOADS], axis=1)


def _claims(config: LoadSetting) -> tuple[Claim, ...]:
    few, many = (f"n = {load * config.d:g}" for load in LOADS)
    return tuple(
        claim
        for how in ("linearized", "trained")
        for claim in (
            Claim(0.8, 0.2, side="at least", name=f"share at {few}, {how}"),
            Claim(0.7, 0.2, side="at most", name=f"share at {many}, {how}"),
        )
    )


def _quantity(shares: Float[Array, "2 loads"]) -> Any:
    return shares.reshape(-1)


STATEMENTS = (
    Statement(
        id="separability.ntk-many-samples",
        kind="empirical",
        title="with random labels, v separates all noises for n ≪ d and about half for n ≫ d",
        says="After training to zero squared loss on points with random labels, the share of them "
        "whose noise v = −W(0)ᵀa(0) separates is at least 0.8 at n = d/4 and at most 0.7 at n = 8d "
        "(d = 16), for the network linearized at initialization and for the network itself: it "
        "falls from 1 towards 1/2. The part of S*_k that is linear in the labels has a random "
        "sign and grows with n/d, so that the proof of Theorem 3.6 needs d ≥ Cn, of which the "
        "theorem says nothing. Both thresholds were set knowing measurements at these sizes.",
        source=f"ours, on {SOURCE}, Theorem 3.6",
        sample=_separated_shares,
        quantity=_quantity,
        claim=_claims,
        config=LoadSetting(),
        draws={"quick": 32, "full": 500},
        batch=8,
    ),
)
