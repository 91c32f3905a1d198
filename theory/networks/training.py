"""Training by full-batch gradient descent, on the weights or in pre-activation space."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, PyTree, Real
from theory._validation import (
    check_choice,
    check_labels,
    check_points,
    is_traced,
    takes_arrays,
    takes_numbers,
)
from theory.networks import flips, flips_in_step, preactivations
from theory.networks.descent import Descent, loss_weights, mean_loss, repeated
from theory.networks.network import Network, Params, apply, pre_activations

SPACES = ("weights", "pre-activations", "flips")


class Training(NamedTuple):
    """What training returns.

    params: the trained `Params`.
    weights: (n,) α_k = Σ_j c_j ℓ'(−y_k f(x_k)) over the steps j, c_j the factor with which the
      gradient of step j enters the final weights, so w(K) = w(0) + (1/n) Σ_k y_k Σ_j c_j ℓ'_k ∇f_k;
      every α_k is T under the identity loss.
    time: T = Σ_j c_j, of the learning rates that were taken.
    trace: whatever `observe` returned, stacked over steps 1…K; None without it.
    """

    params: Params
    weights: Float[Array, " n"]
    time: Float[Array, ""]
    trace: PyTree


@takes_arrays
def train(
    network: Network,
    params: Params,
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    descent: Descent,
    observe: Callable[[Params], PyTree] | None = None,
    readout_scale: Real = 1.0,
    space: str = "weights",
    products: Float[AnyArray, "n n"] | None = None,
) -> Training:
    """Trains the weights that the network declares trained.

    The same trajectory, to rounding, in each space. Steps cost 4ndm operations on the weights, 2n²m
    in pre-activation space (`theory.networks.preactivations`), and where few activations switch
    O(nm) by flips (`theory.networks.flips`); `cheapest_space` chooses.

    Args:
      network: the parameterization (slope and trained weights).
      params: initial weights.
      x: (n, d) training points.
      y: (n,) labels ±1.
      descent: optimizer, loss, number of steps.
      observe: called with the `Params` after every step; its results are stacked into `trace`, so
        the number of steps must not be traced. Pass the same function object again to reuse the
        compiled code.
      readout_scale: learning rate of the readout, where it is trained, over that of the hidden
        weights. At 1 the tangent kernel grows with the width m; at 1/m it has a limit.
      space: "weights"; "pre-activations", where the readout is frozen and nothing is observed;
        "flips", where in addition the activation is the leaky ReLU and the loss the identity.
      products: (n, n) ⟨x_j, x_k⟩ + 1, without the 1 where no biases are trained, for the spaces
        that need them; computed if None.

    Returns:
      A `Training`.

    Raises:
      ValueError: if x is no finite matrix of the network's input dimension, y is not ±1, or the
        network cannot be trained in that space.
    """
    check_points("x", x, d=params.w.shape[1])
    check_labels("y", y, len(x))
    possible = _spaces(network, descent, observe)
    if check_choice("space", space, SPACES) not in possible:
        raise ValueError(
            f"space must be {' or '.join(possible)} for this network, loss, schedule and "
            f"observation, "
            f"got {space!r}"
        )
    if space == "weights":
        return _train(network, params, x, y, descent, observe, readout_scale)
    # A schedule sees the loss of all neurons: they take each step together.
    apart = descent.schedule == "constant"
    by = {
        "pre-activations": preactivations.coefficients,
        "flips": flips.coefficients_by_flips if apart else flips_in_step.coefficients_in_step,
    }
    h = pre_activations(params, x).T
    trained = by[space](network, h, params.a, x, y, descent, products)
    params = preactivations.moved(network, params, trained, x, y)
    return Training(params, trained.weights, trained.time, None)


def _spaces(
    network: Network, descent: Descent, observe: Callable[[Params], PyTree] | None = None
) -> tuple[str, ...]:
    if "a" in network.trained or "w" not in network.trained or observe is not None:
        return SPACES[:1]
    switches = network.activation == "leaky relu" and descent.loss == "identity"
    return SPACES if switches else SPACES[:2]


@takes_numbers
def cheapest_space(network: Network, descent: Descent, n: int, d: int, m: int) -> str:
    """The space in which `train` takes the fewest operations.

    By flips wherever that is possible on a CPU, which loops over switches without delay; else
    pre-activation space if 2n²mK + 2n²d + 4ndm < 4ndmK, or if n < 2d where K is traced, which is
    the same for many steps.

    Args:
      network: the parameterization.
      descent: optimizer, loss, number of steps K.
      n, d, m: training points, dimension, width.

    Returns:
      One of `SPACES`.
    """
    possible = _spaces(network, descent)
    if "flips" in possible and jax.default_backend() == "cpu":
        return "flips"
    if is_traced(descent.steps):
        return SPACES[1] if SPACES[1] in possible and n < 2 * d else SPACES[0]
    on_weights = 4 * n * d * m * descent.steps
    by_products = 2 * n * n * (m * descent.steps + d) + 4 * n * d * m
    return SPACES[1] if SPACES[1] in possible and by_products < on_weights else SPACES[0]


@functools.partial(jax.jit, static_argnums=5)
def _train(
    network: Network,
    params: Params,
    x: Array,
    y: Array,
    descent: Descent,
    observe: Callable[[Params], PyTree] | None,
    readout_scale: Real,
) -> Training:
    optimizer = descent.transformation()
    n = len(x)

    def full(trained: dict[str, Array]) -> Params:
        return params._replace(**trained)

    def step(state: PyTree) -> PyTree:
        trained, weights, time, memory = state
        f, pull_back = jax.vjp(lambda t: apply(network, full(t), x), trained)
        derivative = loss_weights(descent, -y * f)
        (gradient,) = pull_back(-y * derivative / n)
        if "a" in gradient:
            gradient["a"] = readout_scale * gradient["a"]
        # −ℓ' rides along as the gradient of the weights α, and −1 as that of T, so that all see
        # the same optimizer.
        gradients = gradient, -derivative, -jnp.ones_like(time)
        updates, memory = optimizer.update(gradients, memory, value=mean_loss(descent, -y * f))
        return *jax.tree.map(jnp.add, (trained, weights, time), updates), memory

    trained = {name: getattr(params, name) for name in network.trained}
    start = trained, jnp.zeros(n, x.dtype), jnp.zeros((), x.dtype)
    start = *start, optimizer.init(start)
    if observe is None:
        trained, weights, time, _ = repeated(step, start, descent)
        return Training(full(trained), weights, time, None)

    def observed(state: PyTree, _: None) -> tuple[PyTree, PyTree]:
        state = step(state)
        return state, observe(full(state[0]))

    (trained, weights, time, _), trace = jax.lax.scan(observed, start, length=int(descent.steps))
    return Training(full(trained), weights, time, trace)
