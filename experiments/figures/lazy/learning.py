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

from experiments.results.summaries import mean_and_error
from theory._types import Real
from theory.compilation import quick_to_compile
from theory.data.sampling import draw
from theory.infinite_width import bounds, gaussian, lazy
from theory.networks.descent import Descent
from theory.networks.network import frozen_readout, init, input_gradients, narrowed, outputs
from theory.networks.training import cheapest_space, train
from theory.perturbations.attacks import unit_rows

LAWS = ("shifted-gaussian", "gaussian")
SCENARIOS = ("a", "b")
LAZY = 0.1  # share of neurons that may change their activation where the limit is claimed
LONG = 100  # steps from which on training by flips repays its longer compilation
FLOATS = {"cpu": 2**26, "gpu": 2**31}  # of the arrays of a chunk of draws


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
    gradients: (n, d) input gradients at the training points.
    weights: (n,) α.  switching: bound on the expected share of neurons that change activation, the
    larger of its means over test and over training points.
    """

    outputs: Array
    at_train: Array
    gradients: Array
    weights: Array
    switching: Array


class Predicted(NamedTuple):
    """Networks of infinite width, likewise.

    outputs: (q,).  positive: (q,) P(f(z; T) > 0), 0 or 1 where the initial outputs are drawn.
    at_train: (n,) the same probability at f's training points.  gradients: (n, d).
    """

    outputs: Array
    positive: Array
    at_train: Array
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
    key: Array,
    run: LearningRun,
    draws: int,
    scenarios: tuple[str, ...] = SCENARIOS,
    cosine: bool = False,
) -> dict[str, np.ndarray]:
    """Measured and predicted accuracies and agreement of K draws.

    Both networks are trained at each of R learning rates. g learns of the F rates of f that are
    kept: all with `run.best` "metric", else the one with the better mean accuracy over the draws
    (the first, if they are equal).

    Args:
      key: random key.
      run: the setting.
      draws: K.
      scenarios: what g is trained on, among "a" (perturbations) and "b" (perturbed samples).
      cosine: whether cosines are returned too.

    Returns:
      standard_by_rate (R, K) accuracy of f, and of the f kept: standard (F, K), predicted_standard
      (F, K) and switching_f (F, K), the bound of `Trained`. Of g in S scenarios: perturbation
      (S, F, R, K) its accuracy, agreement (S, F, R, K), both also as predicted_…, and switching_g
      (S, F, R, K). With `cosine` also cosine (F, K) and predicted_cosine (F, K), mean over samples
      of that between a perturbation and its training-sample sum, and cosine_tolerance (F, K) of
      the law.
    """
    at_once = _chunk(run, draws)
    chunks = [
        problems(jax.random.split(part, at_once), run)
        for part in jax.random.split(key, draws // at_once)
    ]
    networks, by_rate = [], []
    for chunk in chunks:
        f = train_networks(chunk.key_f, chunk.x, chunk.y, chunk.z, chunk.x, run, run.rates_f)
        by_rate.append(_accuracy(f, chunk, run))
        networks.append(f if len(chunks) == 1 else None)
    by_rate = np.concatenate(by_rate, axis=-1)
    best = int(np.argmax(by_rate.mean(axis=-1)))
    kept = range(len(run.rates_f)) if run.best == "metric" else (best,)
    parts = []
    for chunk, trained in zip(chunks, networks, strict=True):
        of_rates = []
        for i in kept:
            f, at = trained, i
            if f is None:  # all draws' networks would not fit into memory
                rates, at = run.rates_f[i : i + 1], 0
                f = train_networks(chunk.key_f, chunk.x, chunk.y, chunk.z, chunk.x, run, rates)
            f = jax.tree.map(lambda value, at=at: value[:, at], f)
            of_rates.append(_second_half(chunk, f, run, run.rates_f[i], scenarios, cosine))
        parts.append(of_rates)
    result = {}
    for name in parts[0][0]:
        stacked = [np.stack([one[name] for one in part], axis=-2) for part in parts]
        if stacked[0].ndim == 4:  # (S, R, F, K) of g
            stacked = [np.swapaxes(part, 1, 2) for part in stacked]
        result[name] = np.concatenate(stacked, axis=-1)
    return result | {"standard_by_rate": by_rate, "standard": by_rate[list(kept)]}


def points(
    arrays: Mapping[str, np.ndarray], scenarios: Sequence[str] = SCENARIOS, best: str = "network"
) -> list[dict[str, Any]]:
    """What is drawn of the arrays of `learn`.

    Args:
      arrays: of `learn`.
      scenarios: those that it was given.
      best: `LearningRun.best`. "network": perturbation and agreement at the rate of g with the
        better accuracy; "metric": each at the pair of rates that is best for it.

    Returns:
      For accuracy of f (quantity "standard"), the cosine if there is one, and, in each scenario,
      accuracy of g ("perturbation") and agreement: mean and predicted over the draws; difference,
      taken draw by draw, with its standard error difference_error; switching, the mean bound on the
      share of neurons that change their activation, of f alone for "standard" and "cosine" and the
      larger of both networks' otherwise; held, whether that is at most `LAZY`; optimism, a bound on
      what choosing the rates adds to the mean; tolerance, of the law of the cosine, else 0.
    """
    f = arrays["switching_f"].mean(axis=-1)
    found = []
    for quantity in ("standard", "cosine"):
        if quantity not in arrays:
            continue
        at = int(np.argmax(arrays[quantity].mean(axis=-1)))
        chosen = arrays["standard_by_rate"] if quantity == "standard" else arrays[quantity]
        pair = arrays[quantity][at], arrays[f"predicted_{quantity}"][at]
        found.append(_point(quantity, "", *pair, f[at], _optimism(chosen)))
        if quantity == "cosine":
            found[-1]["tolerance"] = float(arrays["cosine_tolerance"][at].mean())
    for number, scenario in enumerate(scenarios):
        # (F, R, K) → (F·R, K)
        of_g = {
            name: arrays[name][number].reshape(-1, arrays[name].shape[-1])
            for name in arrays
            if arrays[name].ndim == 4
        }
        of_f = np.repeat(f, len(of_g["perturbation"]) // len(f))
        for name in ("perturbation", "agreement"):
            chosen_by = of_g[name if best == "metric" else "perturbation"]
            at = int(np.argmax(chosen_by.mean(axis=-1)))
            switching = max(of_f[at], of_g["switching_g"][at].mean())
            optimism = _optimism(of_g[name]) if name == "perturbation" or best == "metric" else 0.0
            pair = of_g[name][at], of_g[f"predicted_{name}"][at]
            found.append(_point(name, scenario, *pair, switching, optimism))
    return found


def _optimism(by_rate: np.ndarray) -> float:
    """Bound on E max_i A_i − max_i E A_i, of means A: half the sum of the sd(A_i − A_best).

    max_i (A_i − E A_i) ≤ X_b + Σ_i (X_i − X_b)₊ with X centred, and E(X_i − X_b)₊ ≤ ½ sd.
    """
    best = by_rate[int(np.argmax(by_rate.mean(axis=-1)))]
    return sum(float(mean_and_error(best - other)[1]) / 2 for other in by_rate)


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
        "optimism": float(optimism), "tolerance": 0.0,
    }  # fmt: skip


def _accuracy(trained: Trained | Predicted, chunk: Problems, run: LearningRun) -> np.ndarray:
    """(R, K) share of the points on which accuracy is measured that are classified correctly."""
    on_training = run.measure_on == "training"
    if isinstance(trained, Predicted):
        positive = trained.at_train if on_training else trained.positive
    else:
        positive = np.asarray(trained.at_train if on_training else trained.outputs) >= 0
    return share_of(positive, chunk.y if on_training else chunk.label)


def cost(run: LearningRun) -> float:
    """Operations of a draw, in units of anything."""
    n, seen = run.n, run.n + run.queries
    f_rates = len(run.rates_f) if run.best == "metric" else 1
    step = min(2 * n * n, 4 * n * run.d) * run.width
    limit = 4 * gaussian.WIDE * seen * run.d + 30 * n * seen * run.d
    return (1 + 2 * f_rates) * (len(run.rates_f) * step * run.steps + limit)


def _chunk(run: LearningRun, draws: int) -> int:
    """Draws that are worked on at once: the most that fit and divide their number."""
    n, seen, rates = run.n, run.n + run.queries, len(run.rates_f)
    each = 6 * n * seen + 4 * rates * run.width * n + gaussian.WIDE * (seen + run.d)
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
    chunk: Problems,
    f: Trained,
    run: LearningRun,
    rate: float,
    scenarios: tuple[str, ...],
    cosine: bool,
) -> dict[str, np.ndarray]:
    """All that is known of f and follows from it."""
    x, z = chunk.x, chunk.z
    same = (rate,) * len(run.rates_g)  # as many as g's, for one program
    f_limits = limit_networks(chunk.key_f_limit, x, chunk.y, z, x, run, same)
    f_limit = jax.tree.map(lambda value: value[:, 0], f_limits)
    result = {
        "predicted_standard": _accuracy(f_limits, chunk, run)[0],
        "switching_f": np.asarray(f.switching),
    }
    if cosine:
        names = ("cosine", "predicted_cosine", "cosine_tolerance")
        values = compiled(cosines, (5, 6, 7), run)(
            x, chunk.y, f.gradients, f.weights, run.slope, run.m, run.loss == "identity", run.cosine
        )
        result |= {name: np.asarray(value) for name, value in zip(names, values, strict=True)}
    each = []
    for scenario in scenarios:
        base = x if scenario == "b" else jnp.zeros_like(x)
        points = perturbed(base, f.gradients, chunk.target, run.epsilon)
        g = train_networks(chunk.key_g, points, chunk.target, z, x, run, run.rates_g)
        points = perturbed(base, f_limit.gradients, chunk.target, run.epsilon)
        g_limit = limit_networks(chunk.key_g_limit, points, chunk.target, z, x, run, run.rates_g)
        positive = np.asarray(g.outputs) >= 0
        each.append(
            {
                "perturbation": _accuracy(g, chunk, run),
                "agreement": share_of(positive, np.asarray(f.outputs) >= 0),
                "predicted_perturbation": _accuracy(g_limit, chunk, run),
                "predicted_agreement": share_of(g_limit.positive, np.asarray(f_limit.outputs) >= 0),
                "switching_g": np.asarray(g.switching).T,
            }
        )
    return result | {name: np.stack([one[name] for one in each]) for name in each[0]}


@functools.cache
def _jitted(function: Any, static: tuple[int, ...], quick: bool) -> Any:
    return jax.jit(
        function, static_argnums=static, compiler_options=quick_to_compile(1) if quick else None
    )


def compiled(function: Any, static: tuple[int, ...], run: LearningRun) -> Any:
    """Compiled in half the time where little is computed, and optimized where much is."""
    quick = jax.default_backend() == "cpu" and run.steps < LONG
    return _jitted(function, static, quick)


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
    rates: tuple[float, ...],
) -> Trained:  # fmt: skip
    """Networks of each draw trained on (x, y) at each rate, seen at z and train_points."""
    values = {"slope": run.slope, "m": run.m, "momentum": run.momentum, "steps": run.steps}
    return compiled(_train_all, (7, 8, 9, 10), run)(
        keys, x, y, z, train_points, jnp.asarray(rates, float), values, run.loss, run.schedule,
        run.width, _space(run),
    )  # fmt: skip


def _train_all(
    keys: Array, x: Array, y: Array, z: Array, train_points: Array, rates: Array, values: Any,
    loss: str, schedule: str, width: int, space: str,
) -> Trained:  # fmt: skip
    slope, m = values["slope"], values["m"]
    network = frozen_readout(slope)
    floor = slope if loss == "identity" else 0.0
    # Training by flips loops over switches: each network by itself.
    over = jax.lax.map if space == "flips" else lambda f, xs: jax.vmap(f)(xs)

    def one(draw: Any) -> Trained:
        key, x, y, z, train_points = draw
        start = narrowed(init(network, key, width, x.shape[1]), m)

        def at_rate(rate: Array) -> Trained:
            descent = Descent(rate, values["steps"], loss, values["momentum"], schedule=schedule)
            params, weights, *_ = train(network, start, x, y, descent, space=space)

            def switching(points: Array) -> Array:
                reach = bounds.reach(x, y, points, weights, floor)
                ratio = bounds.crossing_ratio(reach, points, 1) / m**0.5  # m is traced
                return jnp.mean(bounds.crossing_probability(ratio))

            larger = jnp.maximum(switching(z), switching(x))
            gradients = input_gradients(params, x, slope)
            at_train = outputs(params, train_points, slope)
            return Trained(outputs(params, z, slope), at_train, gradients, weights, larger)

        return over(at_rate, rates)

    return over(one, (keys, x, y, z, train_points))


def limit_networks(
    keys: Array, x: Array, y: Array, z: Array, train_points: Array, run: LearningRun,
    rates: tuple[float, ...],
) -> Predicted:  # fmt: skip
    """Networks of infinite width of each draw, trained on (x, y) at each rate, seen likewise."""
    values = {"slope": run.slope, "momentum": run.momentum, "steps": run.steps}
    return compiled(_limit_all, (7, 8), run)(
        keys, x, y, z, train_points, jnp.asarray(rates, float), values, run.loss, run.schedule
    )


def _limit_all(
    keys: Array, x: Array, y: Array, z: Array, train_points: Array, rates: Array, values: Any,
    loss: str, schedule: str,
) -> Predicted:  # fmt: skip
    slope = values["slope"]

    def one(key: Array, x: Array, y: Array, z: Array, train_points: Array) -> Predicted:
        wide = init(frozen_readout(slope), key, gaussian.WIDE, x.shape[1])
        noise = input_gradients(wide, x, slope)
        seen, q = jnp.concatenate([z, train_points]), len(z)

        def at_rate(rate: Array) -> Predicted:
            descent = Descent(rate, values["steps"], loss, values["momentum"], schedule=schedule)
            limit = gaussian.limit(wide, x, y, seen, slope, descent)
            if loss == "identity":
                positive = gaussian.probability_of_plus(limit.signal, seen, slope)
            else:
                positive = jnp.where(limit.outputs >= 0, 1.0, 0.0)
            return Predicted(limit.outputs[:q], positive[:q], positive[q:], limit.learned + noise)

        return jax.vmap(at_rate)(rates)

    return jax.vmap(one)(keys, x, y, z, train_points)


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
