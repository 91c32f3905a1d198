"""Learning from perturbations over many draws: pairs of trained networks, and their limits.

What the figures of K24b share. For each draw f is trained on clean data, its perturbations are
relabelled at random, and g is trained on them; beside it, on the same data, the same is done with
networks of infinite width. All draws of a chunk go through one compiled program, whatever the
values of slope, ε, width, rates and steps are.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from experiments.figures.figure import mean_and_error
from theory import bounds, infinite_width, limits
from theory.attacks import unit_rows
from theory.data import draw
from theory.descent import Descent
from theory.networks import frozen_readout, init, input_gradients, narrowed, outputs
from theory.training import cheapest_space, train
from theory.verification import quick_to_compile

LAWS = ("shifted-gaussian", "gaussian")
SCENARIOS = ("a", "b")
LAZY = 0.1  # share of neurons that may change their activation where the limit is claimed
LONG = 100  # steps from which on training by flips repays its longer compilation
FLOATS = {"cpu": 2**26, "gpu": 2**31}  # of the arrays of a chunk of draws


class Run(NamedTuple):
    """One setting of learning from perturbations.

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
    separation: float = 4.0  # of separated-gaussian


class Trained(NamedTuple):
    """Networks after training, with leading axes for draws and learning rates.

    outputs: (q,) at the test points.  gradients: (n, d) input gradients at the training points.
    weights: (n,) α.  switching: bound on the expected share of neurons that change activation, the
    larger of its means over test and over training points.
    """

    outputs: Array
    gradients: Array
    weights: Array
    switching: Array


class Predicted(NamedTuple):
    """Networks of infinite width, likewise.

    outputs: (q,).  positive: (q,) P(f(z; T) > 0), 0 or 1 where the initial outputs are drawn.
    gradients: (n, d).
    """

    outputs: Array
    positive: Array
    gradients: Array


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


def learn(
    key: Array, run: Run, draws: int, scenarios: tuple[str, ...] = SCENARIOS, cosine: bool = False
) -> dict[str, np.ndarray]:
    """Measured and predicted accuracies and agreement of K draws.

    Both networks are trained at each of R learning rates. g learns of the f whose rate has the
    better mean accuracy over the draws (the first, if they are equal).

    Args:
      key: random key.
      run: the setting.
      draws: K.
      scenarios: what g is trained on, among "a" (perturbations) and "b" (perturbed samples).
      cosine: whether cosines are returned too.

    Returns:
      standard_by_rate (R, K) accuracy of f, and of the f kept: standard (K,), predicted_standard
      (K,) and switching_f (K,), the bound of `Trained`. Of g in S scenarios: perturbation (S, R, K)
      its accuracy, agreement (S, R, K), both also as predicted_…, and switching_g (S, R, K). With
      `cosine` also cosine (K,) and predicted_cosine (K,), mean over samples of that between a
      perturbation and its training-sample sum, and cosine_tolerance (K,) of the law.
    """
    at_once = _chunk(run, draws)
    chunks = [
        problems(jax.random.split(part, at_once), run)
        for part in jax.random.split(key, draws // at_once)
    ]
    networks, by_rate = [], []
    for chunk in chunks:
        f = train_networks(chunk.key_f, chunk.x, chunk.y, chunk.z, run, run.rates_f)
        by_rate.append(share_of(np.asarray(f.outputs) >= 0, chunk.label))
        networks.append(f if len(chunks) == 1 else None)
    by_rate = np.concatenate(by_rate, axis=-1)
    best = int(np.argmax(by_rate.mean(axis=-1)))
    parts = []
    for chunk, kept in zip(chunks, networks, strict=True):
        if kept is None:  # all draws' networks would not fit into memory
            kept = train_networks(
                chunk.key_f, chunk.x, chunk.y, chunk.z, run, run.rates_f[best : best + 1]
            )
        f = jax.tree.map(lambda value: value[:, min(best, value.shape[1] - 1)], kept)
        parts.append(_second_half(chunk, f, run, run.rates_f[best], scenarios, cosine))
    result = {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}
    return result | {"standard_by_rate": by_rate, "standard": by_rate[best]}


def points(
    arrays: Mapping[str, np.ndarray], scenarios: Sequence[str] = SCENARIOS
) -> list[dict[str, Any]]:
    """What is drawn of the arrays of `learn`, at each network's better rate.

    Returns:
      For accuracy of f (quantity "standard") and, in each scenario, accuracy of g ("perturbation")
      and agreement: mean and predicted over the draws; difference, taken draw by draw, with its
      standard error difference_error; switching, the mean bound on the share of neurons that change
      their activation, of f alone for "standard" and the larger of both networks' otherwise;
      held, whether that is at most `LAZY`; optimism, a bound on what choosing the better rate adds
      to the mean: half the standard error of the difference between two rates.
    """
    f = arrays["switching_f"].mean()
    standard = arrays["standard"], arrays["predicted_standard"]
    found = [_point("standard", "", *standard, f, _optimism(arrays["standard_by_rate"]))]
    for number, scenario in enumerate(scenarios):
        of_g = {name: arrays[name][number] for name in arrays if arrays[name].ndim == 3}
        best = int(np.argmax(of_g["perturbation"].mean(axis=-1)))
        switching = max(f, of_g["switching_g"][best].mean())
        for name, optimism in (("perturbation", _optimism(of_g["perturbation"])), ("agreement", 0)):
            pair = of_g[name][best], of_g[f"predicted_{name}"][best]
            found.append(_point(name, scenario, *pair, switching, optimism))
    return found


def _optimism(by_rate: np.ndarray) -> float:
    """E max(A, B) − max(E A, E B) ≤ ½ E|A − B − E(A − B)| ≤ ½ sd(A − B), of means A and B."""
    return max(float(mean_and_error(by_rate[0] - other)[1]) / 2 for other in by_rate)


def _point(
    quantity: str, scenario: str, measured: np.ndarray, predicted: np.ndarray, switching: float,
    optimism: float,
) -> dict[str, Any]:  # fmt: skip
    mean, error = mean_and_error(measured)
    difference, difference_error = mean_and_error(measured - predicted)
    return {
        "quantity": quantity, "scenario": scenario, "mean": float(mean),
        "standard_error": float(error), "predicted": float(predicted.mean()),
        "difference": float(difference), "difference_error": float(difference_error),
        "draws": len(measured), "switching": float(switching), "held": bool(switching <= LAZY),
        "optimism": float(optimism),
    }  # fmt: skip


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


def share_of(positive: Any, event: Any) -> np.ndarray:
    """(R, K) mean over points of the probability that the sign is + just where the event is true.

    Args:
      positive: (K, R, q) probability of +.
      event: (K, q) labels ±1, or signs of another network as truth values.
    """
    positive, event = np.asarray(positive), np.asarray(event) > 0
    return np.mean(np.where(event[:, None, :], positive, 1 - positive), axis=-1).T


def _second_half(
    chunk: Problems, f: Trained, run: Run, rate: float, scenarios: tuple[str, ...], cosine: bool
) -> dict[str, np.ndarray]:
    """All that is known of f and follows from it."""
    x, z = chunk.x, chunk.z
    same = (rate,) * len(run.rates_g)  # as many as g's, for one program
    f_limit = jax.tree.map(
        lambda value: value[:, 0], limit_networks(chunk.key_f_limit, x, chunk.y, z, run, same)
    )
    result = {
        "predicted_standard": share_of(f_limit.positive[:, None], chunk.label)[0],
        "switching_f": np.asarray(f.switching),
    }
    if cosine:
        names = ("cosine", "predicted_cosine", "cosine_tolerance")
        values = compiled(cosines, (5, 6), run)(
            x, chunk.y, f.gradients, f.weights, run.slope, run.m, run.loss == "identity"
        )
        result |= {name: np.asarray(value) for name, value in zip(names, values, strict=True)}
    each = []
    for scenario in scenarios:
        base = x if scenario == "b" else jnp.zeros_like(x)
        points = perturbed(base, f.gradients, chunk.target, run.epsilon)
        g = train_networks(chunk.key_g, points, chunk.target, z, run, run.rates_g)
        points = perturbed(base, f_limit.gradients, chunk.target, run.epsilon)
        g_limit = limit_networks(chunk.key_g_limit, points, chunk.target, z, run, run.rates_g)
        positive = np.asarray(g.outputs) >= 0
        each.append(
            {
                "perturbation": share_of(positive, chunk.label),
                "agreement": share_of(positive, np.asarray(f.outputs) >= 0),
                "predicted_perturbation": share_of(g_limit.positive, chunk.label),
                "predicted_agreement": share_of(g_limit.positive, np.asarray(f_limit.outputs) >= 0),
                "switching_g": np.asarray(g.switching).T,
            }
        )
    return result | {name: np.stack([one[name] for one in each]) for name in each[0]}


@functools.cache
def _jitted(function: Any, static: tuple[int, ...], quick: bool) -> Any:
    return jax.jit(
        function, static_argnums=static, compiler_options=quick_to_compile() if quick else None
    )


def compiled(function: Any, static: tuple[int, ...], run: Run) -> Any:
    """Compiled in half the time where little is computed, and optimized where much is."""
    quick = jax.default_backend() == "cpu" and run.steps < LONG
    return _jitted(function, static, quick)


def problems(keys: Array, run: Run) -> Problems:
    """Data of each draw; those of "gaussian" have the first training points as test points.

    Its labels are independent of the points, so that there is nothing to be learned of others.
    """
    shapes = (run.law, run.n, run.d, run.queries)
    return compiled(_draw, (1, 2, 3, 4), run)(keys, *shapes, run.separation)


def _draw(keys: Array, law: str, n: int, d: int, queries: int, separation: Any) -> Problems:
    def one(key: Array) -> Problems:
        key_data, key_target, *others = jax.random.split(key, 6)
        own = law == "gaussian"
        x, y, z, label = draw(
            key_data, law, n, d, queries=0 if own else queries, separation=separation
        )
        if own:
            z, label = x[:queries], y[:queries]
        return Problems(x, y, z, label, jax.random.rademacher(key_target, (n,), float), *others)

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


def train_networks(
    keys: Array, x: Array, y: Array, z: Array, run: Run, rates: tuple[float, ...]
) -> Trained:
    """Networks of each draw trained at each rate."""
    values = {"slope": run.slope, "m": run.m, "momentum": run.momentum, "steps": run.steps}
    return compiled(_train_all, (6, 7, 8), run)(
        keys, x, y, z, jnp.asarray(rates, float), values, run.loss, run.width, _space(run)
    )


def _train_all(
    keys: Array, x: Array, y: Array, z: Array, rates: Array, values: Any,
    loss: str, width: int, space: str,
) -> Trained:  # fmt: skip
    slope, m = values["slope"], values["m"]
    network = frozen_readout(slope)
    floor = slope if loss == "identity" else 0.0
    # Training by flips loops over switches: each network by itself.
    over = jax.lax.map if space == "flips" else lambda f, xs: jax.vmap(f)(xs)

    def one(draw: Any) -> Trained:
        key, x, y, z = draw
        start = narrowed(init(network, key, width, x.shape[1]), m)

        def at_rate(rate: Array) -> Trained:
            descent = Descent(rate, values["steps"], loss, values["momentum"])
            params, weights, _ = train(network, start, x, y, descent, space=space)

            def switching(points: Array) -> Array:
                reach = bounds.reach(x, y, points, weights, floor)
                ratio = bounds.crossing_ratio(reach, points, 1) / m**0.5  # m is traced
                return jnp.mean(bounds.crossing_probability(ratio))

            larger = jnp.maximum(switching(z), switching(x))
            gradients = input_gradients(params, x, slope)
            return Trained(outputs(params, z, slope), gradients, weights, larger)

        return over(at_rate, rates)

    return over(one, (keys, x, y, z))


def limit_networks(
    keys: Array, x: Array, y: Array, z: Array, run: Run, rates: tuple[float, ...]
) -> Predicted:
    """Networks of infinite width of each draw, trained at each rate."""
    values = {"slope": run.slope, "momentum": run.momentum, "steps": run.steps}
    return compiled(_limit_all, (6,), run)(
        keys, x, y, z, jnp.asarray(rates, float), values, run.loss
    )


def _limit_all(
    keys: Array, x: Array, y: Array, z: Array, rates: Array, values: Any, loss: str
) -> Predicted:
    slope = values["slope"]

    def one(key: Array, x: Array, y: Array, z: Array) -> Predicted:
        wide = init(frozen_readout(slope), key, infinite_width.WIDE, x.shape[1])
        noise = input_gradients(wide, x, slope)

        def at_rate(rate: Array) -> Predicted:
            descent = Descent(rate, values["steps"], loss, values["momentum"])
            limit = infinite_width.limit(wide, x, y, z, slope, descent)
            if loss == "identity":
                positive = infinite_width.probability_of_plus(limit.signal, z, slope)
            else:
                positive = jnp.where(limit.outputs >= 0, 1.0, 0.0)
            return Predicted(limit.outputs, positive, limit.learned + noise)

        return jax.vmap(at_rate)(rates)

    return jax.vmap(one)(keys, x, y, z)


def cosines(
    x: Array, y: Array, gradients: Array, weights: Array, slope: Any, m: int, identity: bool
) -> tuple[Array, ...]:
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
