"""Learning from perturbations (K24b) predicted in the infinite-width limit, without training.

What is predicted, and the same measured by training, is in `theory.perturbations.learning`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from theory._types import Real
from theory.infinite_width import bounds, lazy
from theory.infinite_width.gaussian import WIDE, Limit, limit, probability_of_plus
from theory.infinite_width.kernels import nngp
from theory.networks.network import init
from theory.perturbations.attacks import unit_rows
from theory.perturbations.learning import (
    PerturbationSetting,
    Quantities,
    completed,
    draw_run,
    gradients_of,
    share_of_plus,
    tested_parts,
    tested_points,
    widened,
)

LAZY = 0.1  # share of neurons that may change their activation where the limit is claimed
SPREAD = 64  # initial outputs from which the spread of one draw is estimated
SPREAD_POINTS = 1000  # points of which they are, at most: their covariance is factored


class Prediction(NamedTuple):
    """The four quantities in the infinite-width limit, and what is to be known about them.

    quantities: the prediction.
    spread: standard deviations over the initial outputs, f's for accuracy_f and g's for accuracy_g
      and agreement: how far a single trained pair is from the prediction even where that is exact.
      0 for the cosine; NaN where neurons do not evolve independently, since the initial outputs
      are drawn there.
    time_f, time_g: T of both networks, of the learning rates that were taken.
    switching_f, switching_g: bound on the expected share of neurons that change their activation,
      the larger of its means over test and over training points. The limit is claimed up to `LAZY`:
      for accuracy_f and the cosine if f's is below it, for the others if both are.
    """

    quantities: Quantities
    spread: Quantities
    time_f: Real
    time_g: Real
    switching_f: Real
    switching_g: Real

    @property
    def in_range(self) -> Quantities:
        """Whether each quantity is claimed, booleans."""
        f, g = self.switching_f <= LAZY, self.switching_g <= LAZY
        return Quantities(f, f & g, f & g, f)


@jax.jit
def predict(key: Array, setting: PerturbationSetting) -> Quantities:
    """The four quantities in the infinite-width limit, without training.

    f(z; T) = f(z; 0) + k_f(z) and ∇f(x_k; T) = ξ_k + v_k with v_k the training-sample sum; f(z; 0)
    and ξ are jointly Gaussian, drawn as the initial outputs and gradients of one network of width
    `infinite_width.WIDE`: they are correlated, so that g learns of f(z; 0) through perturbations
    even where f has learned nothing. g the same, trained on the perturbations that follow.

    Under the identity loss accuracies are probabilities over the initial outputs, and so is the
    agreement over those of g. Under others the initial outputs are drawn, since the weights α
    depend on them. With the schedule "plateau" the rates follow the loss of the limit.

    ε = 0 is allowed: in scenario b, g sees the clean points under random labels; in a it sees the
    origin n times and learns a bias only, of the sign that has the majority among y'.

    Args:
      key: random key, the same as for `measure` to predict that run.
      setting: the setting.

    Returns:
      `Quantities`, for one draw of data, y', f(·; 0) and ξ. The width enters nowhere: whether it
      is in range is told by `predict_in_full`.

    Source:
      K24b; the cosine law is `lazy.cosine_law`.
    """
    return predict_in_full(key, setting).quantities


@jax.jit
def predict_in_full(key: Array, setting: PerturbationSetting) -> Prediction:
    """`predict`, with the range in which it is claimed and how far single draws are from it.

    Arguments as there.

    Returns:
      A `Prediction`.
    """
    (x, y, z, z_label), target, _, _, key_noise = draw_run(key, setting)
    slope, d = setting.slope, setting.d
    key_f, key_part, key_g = jax.random.split(key_noise, 3)
    wide = init(setting.network(x.shape[1]), key_f, WIDE, x.shape[1])
    seen, label = tested_points(x, y, z, z_label, setting)
    f = limit(wide, x, y, seen, slope, setting.descent("f"), d)
    noise = completed(key_part, gradients_of(wide, x, setting), setting)
    columns = noise.shape[1]
    r = setting.epsilon * target[:, None] * unit_rows(widened(f.learned, columns) + noise)

    points = r if setting.scenario == "a" else widened(x, columns) + r
    seen_wide = widened(seen, columns)
    wide = init(setting.network(columns), key_g, WIDE, columns)
    g = limit(wide, points, target, seen_wide, slope, setting.descent("g"), d)
    sign_f = share_of_plus(f.outputs)
    if setting.loss == "identity":
        p_f = probability_of_plus(f.signal, seen, slope, d)
        p_g = probability_of_plus(g.signal, seen_wide, slope, d)
    else:
        p_f, p_g = sign_f, share_of_plus(g.outputs)
    (at_z, at_label), sign_f = tested_parts(setting), sign_f[: setting.queries]
    right = [jnp.where(label > 0, p[at_label], 1 - p[at_label]) for p in (p_f, p_g)]
    agree = sign_f * p_g[at_z] + (1 - sign_f) * (1 - p_g[at_z])
    laws = {"signed": lazy.cosine_law, "absolute": lazy.absolute_cosine_law}
    law = laws[setting.cosine](f.learned, slope, d)
    quantities = Quantities(jnp.mean(right[0]), jnp.mean(right[1]), jnp.mean(agree), jnp.mean(law))
    zero = jnp.zeros((), x.dtype)
    spread = Quantities(*[zero + jnp.nan] * 4)
    if setting.independent:
        keys = jax.random.split(jax.random.fold_in(key_noise, 1), 3)
        own, plus = seen[at_label], label > 0
        spread = Quantities(
            _spread(keys[0], f.signal[at_label], own, plus, setting),
            _spread(keys[1], g.signal[at_label], own, plus, setting),
            _spread(keys[2], g.signal[at_z], z, sign_f > 0, setting),
            zero,
        )
    return Prediction(
        quantities, spread, f.time, g.time,
        _switching(f, x, y, z, setting),
        _switching(g, points, target, widened(z, columns), setting),
    )  # fmt: skip


def _at_unit_variance(points: Array, d: int) -> Array:
    """Points so scaled that ‖z‖² over the number of their columns is ‖z‖²/d."""
    return points * (points.shape[1] / d) ** 0.5


def _spread(
    key: Array, signal: Array, z: Array, plus: Array, setting: PerturbationSetting
) -> Array:
    """Standard deviation over f(·; 0) of the share of points at which sgn f is + where `plus`."""
    z, signal, plus = (value[:SPREAD_POINTS] for value in (z, signal, plus))
    scaled = _at_unit_variance(z, setting.d)
    covariance = nngp(scaled, scaled, setting.slope)
    # Points may depend on one another; what is added is far below the share of one point.
    jitter = 1e-5 * jnp.trace(covariance) / len(z)
    root = jnp.linalg.cholesky(covariance + jitter * jnp.eye(len(z)))
    outputs = signal[None, :] + jax.random.normal(key, (SPREAD, len(z))) @ root.T
    return jnp.std(jnp.mean((outputs >= 0) == plus[None, :], axis=1, dtype=z.dtype), ddof=1)


def _switching(trained: Limit, x: Array, y: Array, z: Array, setting: PerturbationSetting) -> Array:
    """Bound on the expected share of neurons that change their activation (K24b)."""
    floor = setting.slope if setting.loss == "identity" else 0.0

    def share(points: Array) -> Array:
        reach = bounds.reach(x, y, points, trained.weights, floor)
        scaled = _at_unit_variance(points, setting.d)
        ratio = bounds.crossing_ratio(reach, scaled, setting.m)
        return jnp.mean(bounds.crossing_probability(ratio))

    return jnp.maximum(share(z), share(x))
