"""Training in pre-activation space, for networks whose readout is frozen.

The weights enter a trajectory only through the pre-activations at the training points, as

  w_i = w_i(0) + (a_i/n) Σ_k y_k C_ik x_k,
  h_i(z) = h_i(z; 0) + (a_i/n) Σ_k y_k C_ik (⟨x_k, z⟩ + 1)

(without the 1 where no biases are trained), with coefficients C_ik = Σ_j c_j ℓ'_k φ'(h_i(x_k)) over
the steps j and c_j the factor with which the gradient of step j enters the final weights. A step
costs one product with the (n, n) matrix of inner products, whatever the dimension is: 2n²m
operations against 4ndm on the weights.

Under the identity loss neurons evolve independently, and the velocity of one changes only when one
of its activations switches, which becomes rare. `coefficients_by_flips` updates what switched, at
O(nm) operations per step, and jumps over steps at which nothing does.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._validation import takes_arrays
from theory.data.subspace import gram_rows
from theory.networks.descent import (
    Descent,
    loss_weights,
    mean_loss,
    repeated,
    training_time,
)
from theory.networks.embedding import biased_products
from theory.networks.network import ACTIVATIONS, Network, Params

FLIP_COST = 50  # floating-point operations of a matrix product, per point, that cost as much
ROW = 64  # switches of one neuron from which on a product is cheaper
CACHED = 2**15  # pre-activations of a block of neurons: four such arrays stay in a core's cache


class Coefficients(NamedTuple):
    """What training in pre-activation space returns.

    c: (m, n) C, w_i(K) = w_i(0) + (a_i/n) Σ_k y_k C_ik x_k.
    weights: (n,) α_k, C_ik where φ' = 1 throughout; every α_k is T under the identity loss.
    time: T = Σ_j c_j.
    """

    c: Float[Array, "m n"]
    weights: Float[Array, " n"]
    time: Float[Array, ""]


@takes_arrays
def gaussian_pre_activations(
    key: Array, x: Float[Array, "n d"], m: int, bias: bool = True
) -> Float[Array, "m n"]:
    """Initial pre-activations at the points, drawn jointly from their law instead of from weights.

    Neurons are independent and h_i(x) ~ N(0, xxᵀ/d + 1), without the 1 where there are no biases.

    Args:
      key: random key.
      x: (n, d) points; what matters of them is their inner products.
      m: number of neurons.
      bias: whether the network has biases.

    Returns:
      (m, n) pre-activations.
    """
    covariance = x @ x.T / x.shape[1] + float(bias)
    return jax.random.normal(key, (m, len(x))) @ gram_rows(covariance).T


@takes_arrays
def moved(
    network: Network, params: Params, trained: Coefficients, x: Float[Array, "n d"],
    y: Float[Array, " n"],
) -> Params:  # fmt: skip
    """The trained weights of the coefficients: w_i + (a_i/n) Σ_k y_k C_ik x_k, biases likewise.

    Args:
      network: which weights are trained.
      params: initial weights.
      trained: the coefficients.
      x, y: (n, d) training points, (n,) labels ±1.

    Returns:
      Trained `Params`.
    """
    pull = trained.c * y[None, :] * (params.a / len(x))[:, None]
    b = params.b + jnp.sum(pull, axis=1) if "b" in network.trained else params.b
    return Params(params.w + pull @ x, b, params.a)


@takes_arrays
@jax.jit
def coefficients(
    network: Network,
    h: Float[Array, "m n"],
    a: Float[Array, " m"],
    x: Float[Array, "n d"],
    y: Float[Array, " n"],
    descent: Descent,
) -> Coefficients:
    """Trains under any loss, one product with the matrix of inner products per step.

    Args:
      network: the parameterization; hidden weights are trained, the readout is not.
      h: (m, n) initial pre-activations at the training points.
      a: (m,) readout.
      x, y: (n, d) training points, (n,) labels ±1.
      descent: optimizer, loss, number of steps.

    Returns:
      `Coefficients`.
    """
    n = len(x)
    value, derivative = ACTIVATIONS[network.activation]
    gram = biased_products(x, x, "b" in network.trained)
    optimizer = descent.transformation()

    def step(state: Any) -> Any:
        trained, memory = state
        now = h + (a / n)[:, None] * ((trained.c * y[None, :]) @ gram)
        s = -y * (a @ value(now, network.slope))
        pull, one = loss_weights(descent, s), jnp.ones_like(trained.time)
        gradient = Coefficients(-pull[None, :] * derivative(now, network.slope), -pull, -one)
        updates, memory = optimizer.update(gradient, memory, value=mean_loss(descent, s))
        return jax.tree.map(jnp.add, trained, updates), memory

    start = Coefficients(jnp.zeros_like(h), jnp.zeros(n, h.dtype), jnp.zeros((), h.dtype))
    return repeated(step, (start, optimizer.init(start)), descent)[0]


@takes_arrays
@jax.jit
@jax.custom_batching.sequential_vmap
def coefficients_by_flips(
    network: Network,
    h: Float[Array, "m n"],
    a: Float[Array, " m"],
    x: Float[Array, "n d"],
    y: Float[Array, " n"],
    descent: Descent,
) -> Coefficients:
    """The same for the leaky ReLU under the identity loss, updating only what switches sign.

    Blocks of neurons that fit a core's cache are trained to the end one after the other. While many
    activations of a block switch in a step, velocities are computed anew; then each switch of
    h_i(x_k) adds (a_i/n) y_k (⟨x_k, ·⟩ + 1) to the velocity of neuron i, or a product adds all of
    its switches if they are many; after a step without any, 2, 4, 8, … steps are tried in one, in
    closed form, and taken if nothing switches in them.

    Meant for CPUs: it loops over switches. Under `jax.vmap` networks are trained one after the
    other; in step with one another they took ten times as long.

    Arguments and result as in `coefficients`.
    """
    m, n = h.shape
    neurons = min(m, max(1, CACHED // n))
    blocks = -(-m // neurons)
    fill = blocks * neurons - m
    # Neurons with a = 0 fill the last block: they never move.
    h = jnp.pad(h, ((0, fill), (0, 0)))
    a = jnp.pad(a, (0, fill))
    gram = biased_products(x, x, "b" in network.trained)
    c = jax.lax.map(
        lambda block: _block_by_flips(network, block[0], block[1], x, y, gram, descent),
        (h.reshape(blocks, neurons, n), a.reshape(blocks, neurons)),
    )
    time = jnp.asarray(descent.time, h.dtype)
    return Coefficients(c.reshape(-1, n)[:m], jnp.full(n, time), time)


class _Block(NamedTuple):
    """A block of neurons on its way.

    step: steps done.  stride: steps to take next.  h: (m, n) pre-activations.  momentum: (m, n).
    velocity: (m, n) as long as activations stay as they are.  positive: (m, n) the activations that
    it accounts for.  c: (m, n) the coefficients if nothing switches any more.  flips: switches in
    the last step, `ROW` of a neuron at most where they were done neuron by neuron.
    """

    step: Array
    stride: Array
    h: Array
    momentum: Array
    velocity: Array
    positive: Array
    c: Array
    flips: Array


def _block_by_flips(
    network: Network, h: Array, a: Array, x: Array, y: Array, gram: Array, descent: Descent
) -> Array:
    m, n = h.shape
    slope = network.slope
    rate, mu = (jnp.asarray(v, h.dtype) for v in (descent.learning_rate, descent.momentum))
    pull = a / n
    embedded = jnp.concatenate([x, jnp.ones_like(x[:, :1])], 1) if "b" in network.trained else x
    few = int(2 * min(2 * embedded.shape[1], n) * m / FLIP_COST)  # switches cheaper one by one
    rows, columns = jnp.arange(m), jnp.arange(n)
    steps = jnp.asarray(descent.steps, columns.dtype)

    def pushed(push: Array) -> Array:
        """(…, n) Σ_k push_k (⟨x_k, ·⟩ + 1)."""
        return push @ embedded @ embedded.T if 2 * embedded.shape[1] < n else push @ gram

    def one_by_one(push: Array, count: Array) -> Array:
        """The same for so many entries that are not 0."""

        def add(state: Any) -> Any:
            total, last, left = state
            k = jnp.min(jnp.where((push != 0) & (columns > last), columns, n - 1))
            return total + push[k] * gram[k], k, left - 1

        first = (jnp.zeros_like(push), jnp.full_like(columns[0], -1), count)
        return jax.lax.while_loop(lambda state: state[-1] > 0, add, first)[0]

    def add_to_row(matrix: Array, i: Array, row: Array) -> Array:
        changed = jax.lax.dynamic_slice(matrix, (i, 0), (1, n)) + row[None, :]
        return jax.lax.dynamic_update_slice(matrix, changed, (i, 0))

    def velocity(positive: Array) -> Array:
        return pushed(jnp.where(positive, 1.0, slope) * y[None, :]) * pull[:, None]

    def remaining(step: Array) -> Array:
        """Training time that is left after so many steps."""
        left = (steps - step).astype(h.dtype)
        return jnp.asarray(training_time(rate, left, mu, descent.nesterov), h.dtype)

    def increment(velocity: Array, momentum: Array) -> Array:
        return velocity + mu * momentum if descent.nesterov else momentum

    def advance(b: _Block) -> _Block:
        momentum = b.velocity + mu * b.momentum
        h = b.h + rate * increment(b.velocity, momentum)
        return b._replace(step=b.step + 1, h=h, momentum=momentum)

    def anew(b: _Block) -> _Block:
        """One step with many switches."""
        b = advance(b._replace(velocity=velocity(b.positive)))
        positive = b.h >= 0
        change = (1 - slope) * (positive.astype(h.dtype) - b.positive.astype(h.dtype))
        return b._replace(
            c=b.c + remaining(b.step) * change,
            positive=positive,
            flips=jnp.sum(positive != b.positive),
        )

    def by_neuron(b: _Block) -> _Block:
        """One step in which few neurons switch, or none."""
        b = advance(b)
        # Sums of floats: XLA vectorizes them on CPUs, and they are exact up to 2^24.
        switches = jnp.sum(jnp.where((b.h >= 0) != b.positive, 1.0, 0.0), axis=1)
        weight = remaining(b.step)

        def update(state: Any) -> Any:
            velocity, c, left = state
            i = jnp.min(jnp.where(left > 0, rows, m - 1))
            now, before = (
                jax.lax.dynamic_slice(part, (i, 0), (1, n))[0] for part in (b.h, b.positive)
            )
            change = (1 - slope) * ((now >= 0).astype(h.dtype) - before.astype(h.dtype))
            push = change * y * pull[i]
            moved = jax.lax.cond(
                left[i] <= ROW, lambda: one_by_one(push, left[i]), lambda: pushed(push)
            )
            velocity = add_to_row(velocity, i, moved)
            return velocity, add_to_row(c, i, weight * change), jnp.where(rows == i, 0, left)

        velocity, c, _ = jax.lax.while_loop(
            lambda state: jnp.max(state[-1]) > 0, update, (b.velocity, b.c, switches)
        )
        flips = jnp.sum(switches).astype(b.flips.dtype)
        return b._replace(
            velocity=velocity,
            c=c,
            positive=b.h >= 0,
            # What the step costs one neuron at a time, in switches.
            flips=jnp.sum(jnp.minimum(switches, ROW)).astype(b.flips.dtype),
            stride=jnp.where(flips > 0, 1, 2).astype(b.stride.dtype),
        )

    def jump(b: _Block) -> _Block:
        """As many steps as the stride says, if nothing switches in them; else a shorter stride."""
        stride = jnp.minimum(b.stride, steps - b.step)
        count = stride.astype(h.dtype)
        decay = mu**count
        # Momenta t_j = μ^j t + (1 − μ^j)/(1 − μ) v, j ≤ stride, and their sum.
        grown = -jnp.expm1(count * jnp.log(mu)) / (1 - mu)
        momentum = decay * b.momentum + grown * b.velocity
        total = mu * grown * b.momentum + training_time(1, count, mu) * b.velocity
        h_then = b.h + rate * (count * b.velocity + mu * total if descent.nesterov else total)
        # Increments are monotone in j, so h is too unless they change sign.
        turns = increment(b.velocity, b.momentum) * increment(b.velocity, momentum) < 0
        free = ~jnp.any(((h_then >= 0) != b.positive) | turns)
        return b._replace(
            step=jnp.where(free, b.step + stride, b.step),
            stride=jnp.where(free, 2 * stride, stride // 4),
            h=jnp.where(free, h_then, b.h),
            momentum=jnp.where(free, momentum, b.momentum),
        )

    def calm(b: _Block) -> _Block:
        b = jax.lax.while_loop(lambda b: (b.step < steps) & (b.stride > 1), jump, b)
        b = b._replace(stride=jnp.ones_like(b.stride))
        return jax.lax.while_loop(
            lambda b: (b.step < steps) & (b.stride == 1) & (b.flips <= few), by_neuron, b
        )

    def phase(b: _Block) -> _Block:
        b = jax.lax.while_loop(lambda b: (b.step < steps) & (b.flips > few), anew, b)
        b = b._replace(velocity=velocity(b.positive))
        return jax.lax.while_loop(lambda b: (b.step < steps) & (b.flips <= few), calm, b)

    zero = jnp.zeros((), columns.dtype)
    positive = h >= 0
    start = _Block(
        step=zero,
        stride=zero + 1,
        h=h,
        momentum=jnp.zeros_like(h),
        velocity=jnp.zeros_like(h),
        positive=positive,
        c=remaining(zero) * jnp.where(positive, 1.0, slope),
        flips=zero + few + 1,
    )
    return jax.lax.while_loop(lambda b: b.step < steps, phase, start).c
