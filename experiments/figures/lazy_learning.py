"""Learning from perturbations over many draws: pairs of trained networks, and their limits.

What the figures of K24b share. For each draw f is trained on clean data, its perturbations are
relabelled at random, and g is trained on them; beside it, on the same data, the same is done with
networks of infinite width. All draws of a chunk go through one compiled program, whatever the
values of slope, ε, width, rates and steps are.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from theory import bounds, infinite_width, limits
from theory.attacks import unit_rows
from theory.data import Sample, draw
from theory.descent import Descent
from theory.networks import frozen_readout, init, input_gradients, narrowed, outputs
from theory.training import cheapest_space, train
from theory.verification import _quick_to_compile

LAWS = ("shifted-gaussian", "gaussian")
SCENARIOS = ("a", "b")
LAZY = 0.1  # share of neurons that may change their activation where the limit is claimed
LONG = 100  # steps from which on training by flips repays its longer compilation
FLOATS = {"cpu": 2**26, "gpu": 2**31}  # of the arrays of a chunk of draws


class Run(NamedTuple):
    """One setting of learning from perturbations; `rates` are tried and the better one is kept.

    m ≤ width, the width of the arrays. rates_f, rates_g: learning rates of f and of g.
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


class Trained(NamedTuple):
    """Networks after training at the better of the rates, a leading axis for the draws.

    outputs: (q,) at the test points.  gradients: (n, d) input gradients at the training points.
    weights: (n,) α.  switching: bound on the expected share of neurons that change activation, the
    larger of its means over test and over training points.  rate: the learning rate kept.
    accuracies: (rates,) on the test points.
    """

    outputs: Array
    gradients: Array
    weights: Array
    switching: Array
    rate: Array
    accuracies: Array


class Predicted(NamedTuple):
    """Networks of infinite width, likewise.

    outputs: (q,).  positive: (q,) P(f(z; T) > 0), 0 or 1 where the initial outputs are drawn.
    gradients: (n, d).
    """

    outputs: Array
    positive: Array
    gradients: Array


def learn(
    key: Array, run: Run, draws: int, scenarios: tuple[str, ...] = SCENARIOS, cosine: bool = False
) -> dict[str, np.ndarray]:
    """Measured and predicted accuracies and agreement of K draws.

    Of each network the learning rate of the better accuracy on the test points is kept, draw by
    draw (the first, if they are equal), and its limit is that at the rate kept.

    Args:
      key: random key.
      run: the setting.
      draws: K.
      scenarios: what g is trained on, among "a" (perturbations) and "b" (perturbed samples).
      cosine: whether cosines are returned too.

    Returns:
      standard (K,) accuracy of f; perturbation (S, K) accuracy of g and agreement (S, K), for S
      scenarios; each also as predicted_…; switching_f (K,), switching_g (S, K) the bounds of
      `Trained`; standard_by_rate (rates, K), perturbation_by_rate (S, rates, K). With `cosine` also
      cosine (K,) and predicted_cosine (K,), mean over samples of that between a perturbation and
      its training-sample sum, and cosine_tolerance (K,) of the law.
    """
    at_once = _chunk(run, draws)
    parts = [
        _learn_some(jax.random.split(part, at_once), run, scenarios, cosine)
        for part in jax.random.split(key, draws // at_once)
    ]
    return {
        name: np.concatenate([np.asarray(part[name], float) for part in parts], axis=-1)
        for name in parts[0]
    }


def cost(run: Run) -> float:
    """Operations of a draw, in units of anything."""
    n, seen = run.n, run.n + run.queries
    step = min(2 * n * n, 4 * n * run.d) * run.width
    limit = 4 * infinite_width.WIDE * seen * run.d + 30 * n * seen * run.d
    return 3 * (len(run.rates_f) * step * run.steps + limit)


def _chunk(run: Run, draws: int) -> int:
    """Draws that are worked on at once: the most that fit and divide their number."""
    n, seen, rates = run.n, run.n + run.queries, len(run.rates_f)
    each = 6 * n * seen + 4 * rates * run.width * n + infinite_width.WIDE * (seen + run.d)
    each += 4 * (1 + rates) * n * run.d
    fit = max(1, FLOATS.get(jax.default_backend(), FLOATS["gpu"]) // each)
    return max(k for k in range(1, min(fit, draws) + 1) if draws % k == 0)


def _learn_some(
    keys: Array, run: Run, scenarios: tuple[str, ...], cosine: bool
) -> dict[str, np.ndarray]:
    keys_data, keys_f, keys_limit, keys_g, keys_limit_g = _streams(keys)
    problems = (run.law, run.n, run.d, run.queries)
    (x, y, z, label), target = _compiled(draw_problems, (1, 2, 3, 4), run)(keys_data, *problems)
    plus = np.asarray(label) > 0

    def share(positive: Any, event: np.ndarray) -> np.ndarray:
        """Mean probability that the sign is + where the event is true and − elsewhere."""
        positive = np.asarray(positive)
        return np.mean(np.where(event, positive, 1 - positive), axis=-1)

    f = _train(keys_f, x, y, z, label, run, run.rates_f)
    f_limit = _limit(keys_limit, x, y, z, run, f.rate)
    result = {
        "standard": np.max(f.accuracies, axis=-1),
        "predicted_standard": share(f_limit.positive, plus),
        "switching_f": np.asarray(f.switching),
        "standard_by_rate": np.asarray(f.accuracies).T,
    }
    if cosine:
        names = ("cosine", "predicted_cosine", "cosine_tolerance")
        values = _compiled(cosines, (6,), run)(
            x, y, f.gradients, f.weights, run.slope, run.m, run.loss == "identity"
        )
        result |= {name: np.asarray(value) for name, value in zip(names, values, strict=True)}
    each = []
    for scenario in scenarios:
        base = x if scenario == "b" else jnp.zeros_like(x)
        points = perturbed(base, f.gradients, target, run.epsilon)
        g = _train(keys_g, points, target, z, label, run, run.rates_g)
        points = perturbed(base, f_limit.gradients, target, run.epsilon)
        g_limit = _limit(keys_limit_g, points, target, z, run, g.rate)
        agree = (np.asarray(f.outputs) >= 0) == (np.asarray(g.outputs) >= 0)
        each.append(
            {
                "perturbation": np.max(g.accuracies, axis=-1),
                "agreement": np.mean(agree, axis=-1),
                "predicted_perturbation": share(g_limit.positive, plus),
                "predicted_agreement": share(g_limit.positive, np.asarray(f_limit.outputs) >= 0),
                "switching_g": np.asarray(g.switching),
                "perturbation_by_rate": np.asarray(g.accuracies).T,
            }
        )
    return result | {name: np.stack([one[name] for one in each]) for name in each[0]}


@functools.cache
def _jitted(function: Any, static: tuple[int, ...], quick: bool) -> Any:
    return jax.jit(
        function, static_argnums=static, compiler_options=_quick_to_compile() if quick else None
    )


def _compiled(function: Any, static: tuple[int, ...], run: Run) -> Any:
    """Compiled in half the time where little is computed, and optimized where much is."""
    quick = jax.default_backend() == "cpu" and run.steps < LONG
    return _jitted(function, static, quick)


@functools.partial(jax.jit)
def _streams(keys: Array) -> Array:
    """Five keys of each draw, (5, draws)."""
    return jnp.swapaxes(jax.vmap(lambda key: jax.random.split(key, 5))(keys), 0, 1)


def draw_problems(keys: Array, law: str, n: int, d: int, queries: int) -> tuple[Sample, Array]:
    """Data of each draw, and random labels y'.

    The labels of "gaussian" are independent of the points, so that there is nothing to be learned
    of other points: the test points are the first training points themselves.
    """

    def one(key: Array) -> tuple[Sample, Array]:
        key_data, key_target = jax.random.split(key)
        own = law == "gaussian"
        sample = draw(key_data, law, n, d, queries=0 if own else queries)
        if own:
            sample = sample._replace(z=sample.x[:queries], z_label=sample.y[:queries])
        return sample, jax.random.rademacher(key_target, (n,), float)

    return jax.vmap(one)(keys)


@jax.jit
def perturbed(base: Array, gradients: Array, target: Array, epsilon: Any) -> Array:
    """x_k + ε y'_k ∇f(x_k)/‖∇f(x_k)‖ of each draw."""
    return base + epsilon * target[..., None] * jax.vmap(unit_rows)(gradients)


def _space(run: Run) -> str:
    """Where to train: by flips only where there are many steps."""
    network = frozen_readout(run.slope)
    descent = Descent(1.0, run.steps, run.loss, run.momentum)
    space = cheapest_space(network, descent, run.n, run.d, run.width)
    if space == "flips" and run.steps < LONG:
        return "pre-activations" if run.n < 2 * run.d else "weights"
    return space


def _train(
    keys: Array, x: Array, y: Array, z: Array, label: Array, run: Run, rates: tuple[float, ...]
) -> Trained:
    values = {"slope": run.slope, "m": run.m, "momentum": run.momentum, "steps": run.steps}
    return _compiled(_train_all, (7, 8, 9), run)(
        keys, x, y, z, label, jnp.asarray(rates, float), values, run.loss, run.width, _space(run)
    )


def _train_all(
    keys: Array, x: Array, y: Array, z: Array, label: Array, rates: Array, values: Any,
    loss: str, width: int, space: str,
) -> Trained:  # fmt: skip
    slope, m = values["slope"], values["m"]
    network = frozen_readout(slope)
    floor = slope if loss == "identity" else 0.0
    # Training by flips loops over switches: each network by itself.
    over = functools.partial(jax.lax.map) if space == "flips" else lambda f, xs: jax.vmap(f)(xs)

    def one(draw: Any) -> Trained:
        key, x, y, z, label = draw
        start = narrowed(init(network, key, width, x.shape[1]), m)

        def at_rate(rate: Array) -> Trained:
            descent = Descent(rate, values["steps"], loss, values["momentum"])
            params, weights, _ = train(network, start, x, y, descent, space=space)
            f = outputs(params, z, slope)

            def switching(points: Array) -> Array:
                reach = bounds.reach(x, y, points, weights, floor)
                ratio = bounds.crossing_ratio(reach, points, m)
                return jnp.mean(bounds.crossing_probability(ratio))

            larger = jnp.maximum(switching(z), switching(x))
            accuracy = jnp.mean((f >= 0) == (label > 0), dtype=x.dtype)
            return Trained(f, input_gradients(params, x, slope), weights, larger, rate, accuracy)

        at_rates = over(at_rate, rates)
        best = jnp.argmax(at_rates.accuracies)
        kept = jax.tree.map(lambda value: value[best], at_rates)
        return kept._replace(accuracies=at_rates.accuracies)

    return over(one, (keys, x, y, z, label))


def _limit(keys: Array, x: Array, y: Array, z: Array, run: Run, rates: Array) -> Predicted:
    values = {"slope": run.slope, "momentum": run.momentum, "steps": run.steps}
    return _compiled(_limit_all, (6,), run)(keys, x, y, z, rates, values, run.loss)


def _limit_all(
    keys: Array, x: Array, y: Array, z: Array, rates: Array, values: Any, loss: str
) -> Predicted:
    slope = values["slope"]

    def one(key: Array, x: Array, y: Array, z: Array, rate: Array) -> Predicted:
        descent = Descent(rate, values["steps"], loss, values["momentum"])
        wide = init(frozen_readout(slope), key, infinite_width.WIDE, x.shape[1])
        limit = infinite_width.limit(wide, x, y, z, slope, descent)
        if loss == "identity":
            positive = infinite_width.probability_of_plus(limit.signal, z, slope)
        else:
            positive = jnp.where(limit.outputs >= 0, 1.0, 0.0)
        return Predicted(limit.outputs, positive, limit.learned + input_gradients(wide, x, slope))

    return jax.vmap(one)(keys, x, y, z, rates)


def cosines(
    x: Array, y: Array, gradients: Array, weights: Array, slope: Any, m: Any, identity: bool
) -> tuple[Array, Array, Array]:
    """Mean cosine of gradients and training-sample sums, its law, and the tolerance of that.

    The tolerance is one of the identity loss; 0 under others.
    """

    def one(x: Array, y: Array, gradients: Array, weights: Array) -> tuple[Array, ...]:
        learned = limits.mean_gradients(x, y, slope, weights)
        cosine = jnp.sum(unit_rows(gradients) * unit_rows(learned), axis=1)
        tolerance = jnp.zeros(())
        if identity:
            tolerance = jnp.mean(limits.cosine_law_tolerance(x, y, m, slope, weights[0]))
        return jnp.mean(cosine), jnp.mean(limits.cosine_law(learned, slope)), tolerance

    return jax.vmap(one)(x, y, gradients, weights)
