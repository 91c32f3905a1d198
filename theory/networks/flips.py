"""Training in pre-activation space that computes anew only what switches sign.

For the leaky ReLU under the identity loss, where neurons evolve independently and the velocity of
one changes only when one of its activations switches: `theory.networks.preactivations` has the
formulas. A block of neurons goes through phases. While many activations switch, `_anew` computes
velocities anew; while few do, `_by_neuron` adds what each switch changes; and while none does,
`_jump` takes many steps in one.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, Real
from theory._validation import takes_arrays
from theory.networks.descent import Descent, training_time
from theory.networks.network import Network
from theory.networks.preactivations import Coefficients
from theory.networks.products import Products, products_of

FLIP_COST = 50  # floating-point operations of a matrix product, per point, that cost as much
ROW = 64  # switches of one neuron from which on a product is cheaper
CACHED = 2**15  # pre-activations of a block of neurons: four such arrays stay in a core's cache


@takes_arrays
@jax.jit
@jax.custom_batching.sequential_vmap
def coefficients_by_flips(
    network: Network,
    h: Float[AnyArray, "m n"],
    a: Float[AnyArray, " m"],
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    descent: Descent,
    gram: Float[AnyArray, "n n"] | None = None,
) -> Coefficients:
    """`coefficients` for the leaky ReLU under the identity loss, updating only what switches sign.

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
    products = products_of(network, x, gram)
    c = jax.lax.map(
        lambda block: _train_block(network, block[0], block[1], products, y, descent),
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


class _Motion(NamedTuple):
    """How a block moves. pull: (m,) a_i/n.  steps: K.  rate, mu: η and μ, of the weights' type."""

    products: Products
    y: Array
    pull: Array
    slope: Real
    steps: Array
    rate: Array
    mu: Array
    nesterov: bool

    def velocity(self, positive: Array) -> Array:
        """(m, n) (a_i/n) Σ_k y_k φ'(h_i(x_k)) (⟨x_k, ·⟩ + 1)."""
        push = jnp.where(positive, 1.0, self.slope) * self.y[None, :]
        return self.products.pushed(push) * self.pull[:, None]

    def remaining(self, step: Array) -> Array:
        """Training time that is left after so many steps."""
        dtype = self.rate.dtype
        left = (self.steps - step).astype(dtype)
        return jnp.asarray(training_time(self.rate, left, self.mu, self.nesterov), dtype)

    def increment(self, velocity: Array, momentum: Array) -> Array:
        """What a step adds to h, over η."""
        return velocity + self.mu * momentum if self.nesterov else momentum

    def advance(self, b: _Block) -> _Block:
        """One step at the velocity of the block."""
        momentum = b.velocity + self.mu * b.momentum
        h = b.h + self.rate * self.increment(b.velocity, momentum)
        return b._replace(step=b.step + 1, h=h, momentum=momentum)

    def change(self, now: Array, before: Array) -> Array:
        """By how much φ' changes from activations `before` to those `now`."""
        dtype = self.rate.dtype
        return (1 - self.slope) * (now.astype(dtype) - before.astype(dtype))


def _anew(motion: _Motion, b: _Block) -> _Block:
    """One step with many switches."""
    b = motion.advance(b._replace(velocity=motion.velocity(b.positive)))
    positive = b.h >= 0
    return b._replace(
        c=b.c + motion.remaining(b.step) * motion.change(positive, b.positive),
        positive=positive,
        flips=jnp.sum(positive != b.positive),
    )


def _by_neuron(motion: _Motion, b: _Block) -> _Block:
    """One step in which few neurons switch, or none."""
    b = motion.advance(b)
    # Sums of floats: XLA vectorizes them on CPUs, and they are exact up to 2^24.
    switches = jnp.sum(jnp.where((b.h >= 0) != b.positive, 1.0, 0.0), axis=1)
    velocity, c = _switched(motion, b, switches)
    flips = jnp.sum(switches).astype(b.flips.dtype)
    return b._replace(
        velocity=velocity,
        c=c,
        positive=b.h >= 0,
        # What the step costs one neuron at a time, in switches.
        flips=jnp.sum(jnp.minimum(switches, ROW)).astype(b.flips.dtype),
        stride=jnp.where(flips > 0, 1, 2).astype(b.stride.dtype),
    )


def _switched(motion: _Motion, b: _Block, switches: Array) -> tuple[Array, Array]:
    """Velocity and coefficients after a step in which neurons had so many switches each."""
    m, n = b.h.shape
    rows = jnp.arange(m)
    weight = motion.remaining(b.step)

    def add_to_row(matrix: Array, i: Array, row: Array) -> Array:
        changed = jax.lax.dynamic_slice(matrix, (i, 0), (1, n)) + row[None, :]
        return jax.lax.dynamic_update_slice(matrix, changed, (i, 0))

    def update(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        velocity, c, left = state
        i = jnp.min(jnp.where(left > 0, rows, m - 1))
        now, before = (jax.lax.dynamic_slice(part, (i, 0), (1, n))[0] for part in (b.h, b.positive))
        change = motion.change(now >= 0, before)
        push = change * motion.y * motion.pull[i]
        moved = jax.lax.cond(
            left[i] <= ROW,
            lambda: motion.products.one_by_one(push, left[i]),
            lambda: motion.products.pushed(push),
        )
        velocity = add_to_row(velocity, i, moved)
        return velocity, add_to_row(c, i, weight * change), jnp.where(rows == i, 0, left)

    start = (b.velocity, b.c, switches)
    velocity, c, _ = jax.lax.while_loop(lambda state: jnp.max(state[-1]) > 0, update, start)
    return velocity, c


def _jump(motion: _Motion, b: _Block) -> _Block:
    """As many steps as the stride says, if nothing switches in them; else a shorter stride."""
    rate, mu = motion.rate, motion.mu
    stride = jnp.minimum(b.stride, motion.steps - b.step)
    count = stride.astype(rate.dtype)
    decay = mu**count
    # Momenta t_j = μ^j t + (1 − μ^j)/(1 − μ) v, j ≤ stride, and their sum.
    grown = -jnp.expm1(count * jnp.log(mu)) / (1 - mu)
    momentum = decay * b.momentum + grown * b.velocity
    total = mu * grown * b.momentum + training_time(1, count, mu) * b.velocity
    h = b.h + rate * (count * b.velocity + mu * total if motion.nesterov else total)
    # Increments are monotone in j, so h is too unless they change sign.
    increments = motion.increment(b.velocity, b.momentum), motion.increment(b.velocity, momentum)
    turns = increments[0] * increments[1] < 0
    free = ~jnp.any(((h >= 0) != b.positive) | turns)
    return b._replace(
        step=jnp.where(free, b.step + stride, b.step),
        stride=jnp.where(free, 2 * stride, stride // 4),
        h=jnp.where(free, h, b.h),
        momentum=jnp.where(free, momentum, b.momentum),
    )


def _train_block(
    network: Network,
    h: Array,
    a: Array,
    products: Products,
    y: AnyArray,
    descent: Descent,
) -> Array:
    """(m, n) the coefficients of a block of neurons after all steps."""
    m, n = h.shape
    few = int(2 * products.entries * m / FLIP_COST)  # switches cheaper one by one
    zero = jnp.zeros((), jnp.arange(n).dtype)
    motion = _Motion(
        products,
        jnp.asarray(y),
        a / n,
        network.slope,
        jnp.asarray(descent.steps, zero.dtype),
        jnp.asarray(descent.learning_rate, h.dtype),
        jnp.asarray(descent.momentum, h.dtype),
        descent.nesterov,
    )

    def going_on(b: _Block) -> Array:
        return b.step < motion.steps

    def calm(b: _Block) -> _Block:
        b = jax.lax.while_loop(
            lambda b: going_on(b) & (b.stride > 1), lambda b: _jump(motion, b), b
        )
        b = b._replace(stride=jnp.ones_like(b.stride))
        return jax.lax.while_loop(
            lambda b: going_on(b) & (b.stride == 1) & (b.flips <= few),
            lambda b: _by_neuron(motion, b),
            b,
        )

    def phase(b: _Block) -> _Block:
        b = jax.lax.while_loop(
            lambda b: going_on(b) & (b.flips > few), lambda b: _anew(motion, b), b
        )
        b = b._replace(velocity=motion.velocity(b.positive))
        return jax.lax.while_loop(lambda b: going_on(b) & (b.flips <= few), calm, b)

    positive = h >= 0
    start = _Block(
        step=zero,
        stride=zero + 1,
        h=h,
        momentum=jnp.zeros_like(h),
        velocity=jnp.zeros_like(h),
        positive=positive,
        c=motion.remaining(zero) * jnp.where(positive, 1.0, network.slope),
        flips=zero + few + 1,
    )
    return jax.lax.while_loop(going_on, phase, start).c
