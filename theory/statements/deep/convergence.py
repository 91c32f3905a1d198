"""Deep networks of several widths against their limit: tangent kernels, and training."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import fields
from theory._scaling import maximum
from theory.data.sampling import data_parameter, draw
from theory.infinite_width.deep import fourth_moment_excess, limit_ntk
from theory.infinite_width.function_space import function_space_descent
from theory.margins import Margin, Measured, at_least, measured, rounding_error
from theory.networks.deep import DeepNetwork, Layer, apply_deep, init_deep
from theory.networks.deep_tangents import Narrowed, deep_ntk, first_neurons, train_deep
from theory.networks.descent import descent_for_time
from theory.parameters import Parameters, parameter
from theory.verification.claims import Claim
from theory.verification.kinds import Rate
from theory.verification.statement import Hypothesis, OnData, Statement

# What finite widths bend an exponent by is below `TOLERANCE` where b·L/n is at most `SHALLOW` at
# the smallest of them; docs/statements/deep.md estimates it.
TOLERANCE = 0.05
SHALLOW = 1.0


class DeepWidths(Parameters):
    """Networks of several widths and depths on the same points."""

    data: Any = data_parameter("sphere")
    n: int = fields.points(4)
    d: int = fields.dimension(5)
    slope: float = fields.slope(0.5)
    narrowest: int = fields.width(16, "the smallest width", low=4)
    widths: int = fields.number_of_widths(5, "√2 times")
    depths: tuple[int, ...] = fields.axis((2, 5), "hidden layers L")
    networks: int = parameter(4, "networks per draw, on the same points", low=1)

    @property
    def scales(self) -> np.ndarray:
        """The widths, rounded."""
        return np.round(self.narrowest * 2 ** (np.arange(self.widths) / 2)).astype(int)


class TrainedDeep(DeepWidths):
    """The same, trained."""

    depths: tuple[int, ...] = fields.axis((2,), "hidden layers L")
    networks: int = parameter(6, "networks per draw, on the same points", low=1)
    T: float = fields.training_time(1.0, "training time times L + 1, the size of the kernel")
    steps: int = fields.steps(3)
    queries: int = fields.queries(3, "test points")


class Distances(NamedTuple):
    """distance: (depths, scales).  step: η max_k (1/n) Σ_j |Θ_jk|, the largest of all depths."""

    distance: Measured
    step: Float[Array, ""]


class OfDepth(NamedTuple):
    """A network of the largest width, in the NTK parameterization, and its weights."""

    network: DeepNetwork
    layers: list[Layer]

    def standard(self) -> DeepNetwork:
        """What its `first_neurons` are layers of."""
        wide = self.network
        return DeepNetwork(
            wide.widths, wide.slope, wide.weight, wide.bias, parameterization="standard"
        )


def _of_all_depths(key: Array, config: DeepWidths, d: int) -> list[OfDepth]:
    """In increasing depth; a network has the first hidden layers of the deepest, and its readout.

    Depths are claims of their own and widths are not compared across them, so that nothing is lost
    by sharing, and random numbers are what all this would cost most.
    """
    widest, depths = int(config.scales[-1]), sorted(config.depths)
    shapes = [DeepNetwork.critical((widest,) * depth, config.slope) for depth in depths]
    layers = init_deep(shapes[-1], key, d)
    return [OfDepth(s, [*layers[: len(s.widths)], layers[-1]]) for s in shapes]


def _mean_at_every_width(
    key: Array,
    config: DeepWidths,
    d: int,
    measure: Callable[[DeepNetwork, Narrowed], Array],
) -> Float[Array, "depths scales"]:
    """Of `measure`, (standard network, its layers and rates) → number, over `networks` networks."""

    def of_weights(key: Array) -> Array:
        return jnp.stack([at_every_width(of) for of in _of_all_depths(key, config, d)])

    def at_every_width(of: OfDepth) -> Array:
        network = of.standard()

        def at(width: Array) -> Array:
            return measure(network, first_neurons(of.network, of.layers, width))

        return jax.vmap(at)(jnp.asarray(config.scales, float))

    return jnp.mean(jax.vmap(of_weights)(jax.random.split(key, config.networks)), axis=0)


def _with_error(values: Array, config: DeepWidths, d: int, sizes: Array, passes: int) -> Measured:
    """(claims, scales) with what rounding makes of them, to first order.

    A pass through a network sums over neurons in every layer; what is summed exceeds the sum by
    the root of the width, once in every layer, and passes on as everything does there.
    """
    widest, deepest = int(config.scales[-1]), max(config.depths)
    roundings = passes * (4 * deepest * (widest + 8) + 4 * d + 64)
    return measured(values, rounding_error(roundings, sizes * widest**2))


def _limits(config: DeepWidths, x: Array, z: Array) -> dict[int, Array]:
    """Depth → Θ(x, z)."""
    depths = tuple(sorted(config.depths))
    return dict(zip(depths, limit_ntk(x, z, depths, config.slope), strict=True))


def kernel_errors(key: Array, config: DeepWidths) -> Measured:
    """(depths, scales) ‖Θ_n − Θ‖_F/‖Θ‖_F."""
    key_data, key_init = jax.random.split(key)
    x = draw(key_data, config.data, config.n, config.d, queries=0).x
    limits = _limits(config, x, x)

    def apart(network: DeepNetwork, part: Narrowed) -> Array:
        limit = limits[len(network.widths)]
        found = deep_ntk(network, part.layers, x, part.rates)
        return jnp.linalg.norm(found - limit) / jnp.linalg.norm(limit)

    values = _mean_at_every_width(key_init, config, x.shape[1], apart)
    return _with_error(values, config, x.shape[1], 1 + values, 2)


def path_distances(key: Array, config: TrainedDeep) -> Distances:
    """The largest |f_n − f_∞| over steps and test points, from the same f(·; 0)."""
    key_data, key_init = jax.random.split(key)
    x, y, z, _ = draw(key_data, config.data, config.n, config.d, queries=config.queries)
    n, both = len(x), jnp.concatenate([x, z])
    limits = _limits(config, both, x)

    def apart(network: DeepNetwork, part: Narrowed) -> Array:
        def at_z(layers: list[Layer]) -> Array:
            return apply_deep(network, layers, z)

        depth = len(network.widths)
        descent = descent_for_time(config.T / (depth + 1), config.steps, loss="squared")
        kernel, start = limits[depth], apply_deep(network, part.layers, both)
        limit = function_space_descent(kernel[:n], kernel[n:], y, descent, start[:n], start[n:])
        trained = train_deep(network, part.layers, x, y, descent, at_z, part.rates)
        return maximum(jnp.abs(trained.trace - limit.test))

    values = _mean_at_every_width(key_init, config, x.shape[1], apart)
    # Outputs are of the size of labels and initial outputs, 1, and what they are apart.
    found = _with_error(values, config, x.shape[1], 4 + values, 3 * (config.steps + 1))
    sums = [jnp.mean(jnp.abs(k[:n]), axis=0) / (depth + 1) for depth, k in limits.items()]
    return Distances(found, config.T / config.steps * maximum(jnp.concatenate(sums)))


def _stable(instance: Distances, _: TrainedDeep) -> Margin:
    """λ_max is at most the largest sum of a row: no step overshoots."""
    return at_least(jnp.ones(()), instance.step, rounding_error(2**12, instance.step))


def _wide(_: object, config: DeepWidths) -> Margin:
    """b·L/n ≤ 1 at the largest depth and smallest width: beyond, e^{bL/n} is no straight line."""
    ratio = fourth_moment_excess(config.slope) * max(config.depths) / config.narrowest
    return at_least(jnp.asarray(SHALLOW), ratio, rounding_error(16, ratio))


def _claims(config: DeepWidths) -> tuple[Claim, ...]:
    return tuple(
        Claim(-0.5, 0.15, name=f"exponent (L = {depth})", tolerance=TOLERANCE)
        for depth in sorted(config.depths)
    )


WIDE = {"wide": Hypothesis(_wide, "b·L/n ≤ 1 at all depths and widths")}

STATEMENTS = (
    Statement[DeepWidths, Measured](
        id="deep.kernel-convergence",
        title="the tangent kernel of a deep network approaches its limit like n^(−1/2)",
        says="‖Θ_n − Θ‖_F/‖Θ‖_F = Θ(n^{−1/2}) at initialization for 2 and 5 hidden layers of width "
        "n, all trained, leaky ReLU without biases at the critical variance, Θ from the "
        "recursion in the depth. Two-sided: the fitted exponents must be −1/2, within 0.05 for "
        "what finite widths bend them.",
        source="Jacot et al. 2018, Theorem 1",
        sample=kernel_errors,
        hypotheses=WIDE,
        claim=Rate(
            quantity=lambda errors, _: errors, claims=_claims, scales=lambda config: config.scales
        ),
        config=DeepWidths(),
        draws={"quick": 200, "full": 3000},
        batch=4,  # weights of all widths and networks in the cache
        data=True,
        on_data={"digits": OnData()},
    ),
    Statement[TrainedDeep, Distances](
        id="deep.training-dynamics",
        title="training of a deep network approaches its linear limit like n^(−1/2)",
        says="sup over t ≤ T and test points of |f_n(z; t) − f_∞(z; t)| = Θ(n^{−1/2}) for 2 "
        "hidden layers of width n (`depths` has others), all trained on the squared loss, f_∞ from "
        "the infinite-width kernel with the same initial outputs and the same learning rate, step "
        "for step. Two-sided: the fitted exponents must be −1/2, within 0.05 for what finite "
        "widths bend them.",
        source="Lee et al. 2019, Theorem 2.1",
        sample=path_distances,
        hypotheses=WIDE | {"stable steps": Hypothesis(_stable, "η max_k (1/n) Σ_j |Θ_jk| ≤ 1")},
        claim=Rate(
            quantity=lambda found, _: found.distance,
            claims=_claims,
            scales=lambda config: config.scales,
        ),
        config=TrainedDeep(),
        draws={"quick": 200, "full": 3000},
        batch=4,
        data=True,
        on_data={"digits": OnData({"T": 8.0})},
    ),
)
