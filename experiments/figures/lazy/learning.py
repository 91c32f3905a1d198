"""Learning from perturbations over many draws: pairs of trained networks, and their limits.

What the figures of K24b share. For each draw f is trained on clean data, its perturbations are
relabelled at random, and g is trained on them; beside it, on the same data, the same is done with
networks of infinite width. All draws of a chunk go through the same compiled programs, those of
`experiments.figures.lazy.networks`.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from experiments.figures.figure import Row
from experiments.figures.lazy.networks import (
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
