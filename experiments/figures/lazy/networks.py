"""Networks of many draws, trained and of infinite width, in one compiled program each.

For each draw f is trained on clean data and g on perturbations of f that are relabelled at random;
`experiments.figures.lazy.learning` says what is measured of them. Values of slope, ε, width, rates
and steps are arguments of the programs.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from theory._types import PyTree, Real
from theory.compilation import quick_to_compile
from theory.data.sampling import draw
from theory.infinite_width import bounds, gaussian, lazy
from theory.networks.descent import Descent
from theory.networks.embedding import biased_products
from theory.networks.network import frozen_readout, init, input_gradients, narrowed, outputs
from theory.networks.training import cheapest_space, train
from theory.perturbations.attacks import unit_rows

T = TypeVar("T")

LAWS = ("shifted-gaussian", "gaussian")
LONG = 100  # steps from which on training by flips repays its longer compilation


class LearningRun(NamedTuple):
    """One setting of learning from perturbations.

    m ≤ width, the width of the arrays. rates_f, rates_g: learning rates of f and of g. schedule: of
    the learning rates, see `Descent`. measure_on: "fresh" or "training", where accuracies are
    measured. cosine: "signed" or "absolute". best: "network", each network has the rate with the
    better accuracy; "metric", each quantity the pair of rates that is best for it.
    """

    law: str
    n: int
    d: int
    m: int
    width: int
    slope: float
    loss: str
    epsilon: float
    rates_f: tuple[float, ...]
    rates_g: tuple[float, ...]
    steps: int
    momentum: float
    queries: int
    separation: float = 4.0  # of separated-gaussian
    schedule: str = "constant"
    measure_on: str = "fresh"
    cosine: str = "signed"
    best: str = "network"


class Trained(NamedTuple):
    """Networks after training, with leading axes for draws and learning rates.

    outputs: (q,) at the test points.  at_train: (n,) at f's training points.
    gradients: (n, d) input gradients at the training points, None where nobody asks for them.
    weights: (n,) α.  switching: bound on the expected share of neurons that change activation, the
    larger of its means over test and over training points.
    """

    outputs: Array
    at_train: Array
    gradients: Array | None
    weights: Array
    switching: Array


class Predicted(NamedTuple):
    """Networks of infinite width, likewise.

    outputs: (q,).  positive: (q,) P(f(z; T) > 0), 0 or 1 where the initial outputs are drawn.
    at_train: (n,) the same probability at f's training points.  gradients: (n, d) or None likewise.
    """

    outputs: Array
    positive: Array
    at_train: Array
    gradients: Array | None


class Problems(NamedTuple):
    """Data of some draws, with random labels y' and keys for f, g and their limits."""

    x: Array
    y: Array
    z: Array
    label: Array
    target: Array
    key_f: Array
    key_g: Array
    key_f_limit: Array
    key_g_limit: Array


@functools.cache
def _jitted(function: Callable[..., T], static: tuple[int, ...], quick: bool) -> Callable[..., T]:
    return jax.jit(
        function, static_argnums=static, compiler_options=quick_to_compile(1) if quick else None
    )


def compiled(
    function: Callable[..., T], static: tuple[int, ...], run: LearningRun
) -> Callable[..., T]:
    """Compiled in half the time where little is computed, and optimized where much is."""
    quick = jax.default_backend() == "cpu" and run.steps < LONG
    return _jitted(function, static, quick)


def on_cpu() -> bool:
    """Whether loops cost nothing beside what is in them."""
    return jax.default_backend() == "cpu"


def problems(keys: Array, run: LearningRun) -> Problems:
    """Data of each draw; those of "gaussian" have the first training points as test points.

    Its labels are independent of the points, so that there is nothing to be learned of others.
    Where accuracies are measured on the training points anyhow, test points are fresh.
    """
    own = run.law == "gaussian" and run.measure_on == "fresh"
    shapes = (run.law, run.n, run.d, run.queries, own)
    return compiled(_draw, (1, 2, 3, 4, 5), run)(keys, *shapes, run.separation)


def _draw(
    keys: Array, law: str, n: int, d: int, queries: int, own: bool, separation: Real
) -> Problems:
    def one(key: Array) -> Problems:
        key_data, key_target, *others = jax.random.split(key, 6)
        x, y, z, label = draw(
            key_data, law, n, d, queries=0 if own else queries, separation=separation
        )
        if own:
            z, label = x[:queries], y[:queries]
        return Problems(x, y, z, label, jax.random.rademacher(key_target, (n,), float), *others)

    return jax.vmap(one)(keys)


@jax.jit
def perturbed(base: Array, gradients: Array, target: Array, epsilon: Real) -> Array:
    """x_k + ε y'_k ∇f(x_k)/‖∇f(x_k)‖ of each draw."""
    return base + epsilon * target[..., None] * jax.vmap(unit_rows)(gradients)


def _space(run: LearningRun) -> str:
    """Where to train: by flips only where there are many steps."""
    network = frozen_readout(run.slope)
    descent = Descent(1.0, run.steps, run.loss, run.momentum, schedule=run.schedule)
    space = cheapest_space(network, descent, run.n, run.d, run.width)
    if space == "flips" and run.steps < LONG:
        return "pre-activations" if run.n < 2 * run.d else "weights"
    return space


def train_networks(
    keys: Array, x: Array, y: Array, z: Array, train_points: Array, run: LearningRun,
    rates: tuple[float, ...], *, gradients: bool = True,
) -> Trained:  # fmt: skip
    """Networks of each draw trained on (x, y) at each rate, seen at z and train_points."""
    values = {"slope": run.slope, "m": run.m, "momentum": run.momentum, "steps": run.steps}
    many = run.steps >= LONG
    return compiled(_train_all, (7, 8, 9, 10, 11, 12), run)(
        keys, x, y, z, train_points, jnp.asarray(rates, float), values, run.loss, run.schedule,
        run.width, _space(run), gradients or not many, many and on_cpu(),
    )  # fmt: skip


def _train_all(
    keys: Array, x: Array, y: Array, z: Array, train_points: Array, rates: Array,
    values: dict[str, PyTree], loss: str, schedule: str, width: int, space: str, gradients: bool,
    apart: bool,
) -> Trained:  # fmt: skip
    slope, m = values["slope"], values["m"]
    network = frozen_readout(slope)
    floor = slope if loss == "identity" else 0.0
    # Training by flips loops over switches: each network by itself. On the weights the arrays of
    # one network stay in a core's cache, those of many do not; rates share products of points.
    in_turn = space == "flips" or (apart and space == "weights")
    over = jax.lax.map if in_turn else lambda f, xs: jax.vmap(f)(xs)

    def one(draw: tuple[Array, ...]) -> Trained:
        key, x, y, z, train_points = draw
        start = narrowed(init(network, key, width, x.shape[1]), m)
        # All rates share these: a loop over rates would compute them again for each.
        products, to_z = biased_products(x, x), biased_products(x, z)

        def at_rate(rate: Array) -> Trained:
            descent = Descent(rate, values["steps"], loss, values["momentum"], schedule=schedule)
            params, weights, *_ = train(
                network, start, x, y, descent, space=space,
                products=None if space == "weights" else products,
            )  # fmt: skip

            def switching(points: Array, products: Array) -> Array:
                reach = bounds.reach_of(products, y, weights, floor)
                ratio = bounds.crossing_ratio(reach, points, 1) / m**0.5  # m is traced
                return jnp.mean(bounds.crossing_probability(ratio))

            larger = jnp.maximum(switching(z, to_z), switching(x, products))
            at_x = input_gradients(params, x, slope) if gradients else None
            at_train = outputs(params, train_points, slope)
            return Trained(outputs(params, z, slope), at_train, at_x, weights, larger)

        return over(at_rate, rates)

    return (jax.lax.map if apart else over)(one, (keys, x, y, z, train_points))


def limit_networks(
    keys: Array, x: Array, y: Array, z: Array, train_points: Array, run: LearningRun,
    rates: tuple[float, ...], *, gradients: bool = True,
) -> Predicted:  # fmt: skip
    """Networks of infinite width of each draw, trained on (x, y) at each rate, seen likewise."""
    values = {"slope": run.slope, "momentum": run.momentum, "steps": run.steps}
    few = run.steps < LONG  # one program for all, though it computes what nobody asks for
    return compiled(_limit_all, (7, 8, 9, 10, 11), run)(
        keys, x, y, z, train_points, jnp.asarray(rates, float), values, run.loss, run.schedule,
        gradients or few, train_points is x and not few, not few and on_cpu(),
    )  # fmt: skip


def _limit_all(
    keys: Array, x: Array, y: Array, z: Array, train_points: Array, rates: Array,
    values: dict[str, PyTree], loss: str, schedule: str, gradients: bool, own: bool, apart: bool,
) -> Predicted:  # fmt: skip
    """own: whether train_points are x, whose kernel is there anyhow."""
    slope = values["slope"]

    def one(key: Array, x: Array, y: Array, z: Array, train_points: Array) -> Predicted:
        wide = init(frozen_readout(slope), key, gaussian.WIDE, x.shape[1])
        noise = input_gradients(wide, x, slope) if gradients else None
        seen, q = z if own else jnp.concatenate([z, train_points]), len(z)

        def positive(signal: Array, points: Array) -> Array:
            if loss == "identity":
                return gaussian.probability_of_plus(signal, points, slope)
            return jnp.where(outputs(wide, points, slope) + signal >= 0, 1.0, 0.0)

        def at_rate(rate: Array) -> Predicted:
            descent = Descent(rate, values["steps"], loss, values["momentum"], schedule=schedule)
            limit = gaussian.limit(wide, x, y, seen, slope, descent)
            plus = positive(limit.signal, seen)
            at_train = positive(limit.at_train, x) if own else plus[q:]
            at_x = None if noise is None else limit.learned + noise
            return Predicted(limit.outputs[:q], plus[:q], at_train, at_x)

        return jax.vmap(at_rate)(rates)

    drawn = (keys, x, y, z, train_points)
    if apart:  # under vmap angles are computed in both of the ways between which they choose
        return jax.lax.map(lambda draw: one(*draw), drawn)
    return jax.vmap(one)(*drawn)


def cosines(
    x: Array, y: Array, gradients: Array, weights: Array, slope: Real, m: int, identity: bool,
    kind: str,
) -> tuple[Array, ...]:  # fmt: skip
    """Mean cosine of gradients and training-sample sums, its law, and the tolerance of that.

    kind: "signed" or "absolute", what the mean is of; |cos| is no further from its law than cos.

    The tolerance is one of the identity loss; 0 under others.
    """

    def one(x: Array, y: Array, gradients: Array, weights: Array) -> tuple[Array, ...]:
        learned = lazy.mean_gradients(x, y, slope, weights)
        cosine = jnp.sum(unit_rows(gradients) * unit_rows(learned), axis=1)
        law = lazy.cosine_law
        if kind == "absolute":
            cosine, law = jnp.abs(cosine), lazy.absolute_cosine_law
        tolerance = jnp.zeros(())
        if identity:
            tolerance = jnp.mean(lazy.cosine_law_tolerance(x, y, m, slope, weights[0]))
        return jnp.mean(cosine), jnp.mean(law(learned, slope)), tolerance

    return jax.vmap(one)(x, y, gradients, weights)
