"""Learning from perturbations over many draws: pairs of trained networks, and their limits.

What the figures of K24b share. For each draw f is trained on clean data, its perturbations are
relabelled at random, and g is trained on them; beside it, on the same data, the same is done with
networks of infinite width. All draws of a chunk go through the same compiled programs, those of
`experiments.figures.lazy.networks`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from experiments.figures.figure import Row
from experiments.figures.lazy.networks import (
    LONG,
    LearningRun,
    Predicted,
    Problems,
    Trained,
    compiled,
    cosines,
    limit_networks,
    perturbed,
    problems,
    train_networks,
)
from experiments.results.summaries import mean_and_error
from theory._types import AnyArray
from theory.infinite_width import gaussian

SCENARIOS = ("a", "b")
LAZY = 0.1  # share of neurons that may change their activation where the limit is claimed
FLOATS = {"cpu": 2**26, "gpu": 2**31}  # of the arrays of a chunk of draws


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
    keys = [jax.random.split(part, at_once) for part in jax.random.split(key, draws // at_once)]
    each = list(enumerate(run.rates_f))

    def halves(chunk: Problems, f: Trained, kept: Sequence[tuple[int, float]]) -> Any:
        return _second_halves(chunk, f, run, kept, scenarios, cosine)

    by_rate, parts, kept = [], [], each
    for part in keys:
        chunk = problems(part, run)
        f = _trained_f(chunk, run, run.rates_f)
        by_rate.append(_accuracy(f, chunk, run))
        if run.best == "metric" or len(keys) == 1:
            if run.best != "metric":
                kept = [_best(each, by_rate)]
            parts.append(halves(chunk, f, kept))
    if not parts:  # all draws' networks would not fit into memory
        kept = [_best(each, by_rate)]
        for part in keys:
            chunk, rate = problems(part, run), kept[0][1]
            parts.append(halves(chunk, _trained_f(chunk, run, (rate,)), [(0, rate)]))
    standard = np.concatenate(by_rate, axis=-1)
    places = [place for place, _ in kept]
    return _joined(parts) | {"standard_by_rate": standard, "standard": standard[places]}


def _best(rates: list[tuple[int, float]], by_rate: list[np.ndarray]) -> tuple[int, float]:
    """Place and value of the rate with the better accuracy over all draws."""
    return rates[int(np.argmax(np.concatenate(by_rate, axis=-1).mean(axis=-1)))]


def _trained_f(chunk: Problems, run: LearningRun, rates: Sequence[float]) -> Trained:
    x = chunk.x
    return train_networks(chunk.key_f, x, chunk.y, chunk.z, x, run, tuple(rates))


def _joined(parts: list[list[dict[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """What is known of each chunk of draws and each kept rate of f, draws last and rates before."""
    result = {}
    for name in parts[0][0]:
        stacked = [np.stack([one[name] for one in part], axis=-2) for part in parts]
        if stacked[0].ndim == 4:  # (S, R, F, K) of g
            stacked = [np.swapaxes(part, 1, 2) for part in stacked]
        result[name] = np.concatenate(stacked, axis=-1)
    return result


def points(
    arrays: Mapping[str, np.ndarray], scenarios: Sequence[str] = SCENARIOS, best: str = "network"
) -> list[Row]:
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
) -> Row:  # fmt: skip
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


def floats(run: LearningRun, draws: int) -> int:
    """Numbers held at once, at least: keys and results of all draws, and of one its points with the
    weights of a network, f or the one that stands for infinite width, or the kernel."""
    points, width = run.n + run.queries, max(run.width, gaussian.WIDE)
    return 2 * draws + points * run.d + max(width * run.d, run.n**2)


def _chunk(run: LearningRun, draws: int) -> int:
    """Draws that are worked on at once: the most that fit and divide their number."""
    n, seen, rates = run.n, run.n + run.queries, len(run.rates_f)
    each = 6 * n * seen + 4 * rates * run.width * n + gaussian.WIDE * (seen + run.d)
    each += 4 * (1 + rates) * n * run.d
    fit = max(1, FLOATS.get(jax.default_backend(), FLOATS["gpu"]) // each)
    return max(k for k in range(1, min(fit, draws) + 1) if draws % k == 0)


def share_of(positive: AnyArray, event: AnyArray) -> np.ndarray:
    """(R, K) mean over points of the probability that the sign is + just where the event is true.

    Args:
      positive: (K, R, q) probability of +.
      event: (K, q) labels ±1, or signs of another network as truth values.
    """
    positive, event = np.asarray(positive), np.asarray(event) > 0
    return np.mean(np.where(event[:, None, :], positive, 1 - positive), axis=-1).T


def _second_halves(
    chunk: Problems,
    f: Trained,
    run: LearningRun,
    kept: Sequence[tuple[int, float]],
    scenarios: tuple[str, ...],
    cosine: bool,
) -> list[dict[str, np.ndarray]]:
    """All that is known of f, at its places and rates that are kept, and follows from it."""
    x, rates = chunk.x, tuple(rate for _, rate in kept)
    if run.steps < LONG:  # as many as g's, for one program
        rates += rates[:1] * (len(run.rates_g) - len(rates))
    limits = limit_networks(chunk.key_f_limit, x, chunk.y, chunk.z, x, run, rates)
    right = _accuracy(limits, chunk, run)
    found = []
    for i, (place, _) in enumerate(kept):
        of_f = jax.tree.map(lambda value, place=place: value[:, place], f)
        of_limit = jax.tree.map(lambda value, i=i: value[:, i], limits)
        known = {"predicted_standard": right[i], "switching_f": np.asarray(of_f.switching)}
        if cosine:
            known |= _cosines(chunk, of_f, run)
        each = [_scenario(chunk, of_f, of_limit, run, scenario) for scenario in scenarios]
        found.append(known | {name: np.stack([one[name] for one in each]) for name in each[0]})
    return found


def _cosines(chunk: Problems, f: Trained, run: LearningRun) -> dict[str, np.ndarray]:
    names = ("cosine", "predicted_cosine", "cosine_tolerance")
    values = compiled(cosines, (5, 6, 7), run)(
        chunk.x, chunk.y, f.gradients, f.weights, run.slope, run.m, run.loss == "identity",
        run.cosine,
    )  # fmt: skip
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def _scenario(
    chunk: Problems, f: Trained, f_limit: Predicted, run: LearningRun, scenario: str
) -> dict[str, np.ndarray]:
    """What is known of the g that learn of f in a scenario, and of those of infinite width."""
    x, z, target = chunk.x, chunk.z, chunk.target
    base = x if scenario == "b" else jnp.zeros_like(x)

    def seen(gradients: Array | None) -> Array:
        assert gradients is not None
        return perturbed(base, gradients, target, run.epsilon)

    g = train_networks(
        chunk.key_g, seen(f.gradients), target, z, x, run, run.rates_g, gradients=False
    )
    g_limit = limit_networks(
        chunk.key_g_limit, seen(f_limit.gradients), target, z, x, run, run.rates_g, gradients=False
    )
    signs = np.asarray(f.outputs) >= 0, np.asarray(f_limit.outputs) >= 0
    return {
        "perturbation": _accuracy(g, chunk, run),
        "agreement": share_of(np.asarray(g.outputs) >= 0, signs[0]),
        "predicted_perturbation": _accuracy(g_limit, chunk, run),
        "predicted_agreement": share_of(g_limit.positive, signs[1]),
        "switching_g": np.asarray(g.switching).T,
    }
