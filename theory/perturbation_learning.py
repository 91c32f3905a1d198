"""Learning from perturbations (K24b): predicted in the infinite-width limit, and trained.

f is trained on clean data, its perturbations are relabelled at random, and g is trained on them.
Predictions and measurements are the same four quantities, on the same data.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import kernels, limits
from theory.attacks import unit_rows
from theory.blocks import sum_over_blocks
from theory.data import Sample, data_parameter, draw
from theory.descent import Descent
from theory.networks import Params, frozen_readout, init, input_gradients, outputs
from theory.parameters import Parameters, parameter
from theory.training import cheapest_space, train

NOISE_WIDTH = 4096  # of the network whose initial gradients stand for the Gaussian limit ξ


class PerturbationSetting(Parameters):
    """One setting of K24b's experiments; the defaults are the paper's."""

    data: Any = data_parameter("shifted-gaussian")
    n: int = parameter(1000, "training points", low=1)
    d: int = parameter(100, "dimension", low=1)
    m: int = parameter(100, "width of both networks", low=1)
    slope: float = parameter(0.0, "slope γ", low=0, high=1, open_high=True)
    loss: str = parameter("identity", "training loss", choices=("identity", "logistic"))
    epsilon: float = parameter(0.01, "size ε of a perturbation", unit="of x", low=0, open_low=True)
    scenario: str = parameter(
        "a", "g sees a: perturbations alone, b: perturbed samples", choices=("a", "b")
    )
    lr_f: float = parameter(0.1, "learning rate of f", low=0, open_low=True)
    lr_g: float = parameter(0.1, "learning rate of g", low=0, open_low=True)
    momentum: float = parameter(0.9, "momentum μ", low=0, high=1, open_high=True)
    steps_f: int = parameter(1000, "gradient steps of f", low=1)
    steps_g: int = parameter(1000, "gradient steps of g", low=1)
    queries: int = parameter(500, "test points", low=1)

    def descent(self, which: str) -> Descent:
        """How network "f" or "g" is trained."""
        rate, steps = getattr(self, f"lr_{which}"), getattr(self, f"steps_{which}")
        return Descent(rate, steps, self.loss, self.momentum)


class Quantities(NamedTuple):
    """What is predicted and what is measured, scalars.

    accuracy_f, accuracy_g: share of test points classified like their label.
    agreement: share of test points at which sgn f = sgn g.
    cosine: mean over samples of cos(∇f(x_k; T_f), Σ_j y_jα_jΦ(x_j, x_k)x_j), the perturbation
      against the training-sample sum.
    """

    accuracy_f: Any
    accuracy_g: Any
    agreement: Any
    cosine: Any


class Draw(NamedTuple):
    """The randomness of one run: data, relabelling, and keys of everything else."""

    sample: Sample
    target: Float[Array, " n"]
    key_f: Array
    key_g: Array
    key_noise: Array


def draw_run(key: Array, setting: PerturbationSetting) -> Draw:
    """Draws the data and the random labels y' of one run."""
    key_data, key_target, key_f, key_g, key_noise = jax.random.split(key, 5)
    sample = draw(key_data, setting.data, setting.n, setting.d, queries=setting.queries)
    target = jax.random.rademacher(key_target, (setting.n,), float)
    return Draw(sample, target, key_f, key_g, key_noise)


def _limit_weights(x: Array, y: Array, setting: PerturbationSetting, which: str) -> Array:
    """α of the infinitely wide network from initial outputs 0, at the same steps."""
    descent = setting.descent(which)
    if setting.loss == "identity":
        return jnp.full(len(x), descent.time)
    kernel = kernels.hidden_ntk(x, x, setting.slope)
    return limits.function_space_descent(kernel, jnp.zeros((0, len(x))), y, descent).weights


def _positive(signal: Array, z: Array, slope: float) -> Array:
    """P(f(z; 0) + signal > 0), f(z; 0) ~ N(0, σ(z)²(1 + γ²)/2) over initializations."""
    spread = kernels.standard_deviation(z) * ((1 + slope**2) / 2) ** 0.5
    return jax.scipy.stats.norm.cdf(signal / spread)


@functools.partial(jax.jit, static_argnums=1)
def predict(key: Array, setting: PerturbationSetting) -> Quantities:
    """The four quantities in the infinite-width limit, without training.

    f(z; T) = f(z; 0) + k_f(z) with f(z; 0) Gaussian; ∇f(x_k; T) = ξ_k + v_k with v_k the
    training-sample sum and ξ the initial gradients of a network of width `NOISE_WIDTH`, Gaussian
    by the central limit theorem and taken independent of f(z; 0); g the same, trained on the
    perturbations that follow. Accuracies and agreement are probabilities over the initial outputs,
    averaged over the test points, for one draw of data, y' and ξ.

    Args:
      key: random key, the same as for `measure` to predict that run.
      setting: the setting.

    Returns:
      `Quantities`. The width enters nowhere: T ≪ √m is assumed.

    Source:
      K24b; the cosine law is `limits.cosine_law`.
    """
    (x, y, z, z_label), target, _, _, key_noise = draw_run(key, setting)
    slope = setting.slope
    alpha_f = _limit_weights(x, y, setting, "f")
    p_f = _positive(limits.signal(x, y, z, slope, alpha_f), z, slope)

    learned = limits.mean_gradients(x, y, slope, alpha_f)
    wide = init(frozen_readout(slope), key_noise, NOISE_WIDTH, x.shape[1])
    noise = input_gradients(wide, x, slope)
    r = setting.epsilon * target[:, None] * unit_rows(learned + noise)

    points = r if setting.scenario == "a" else x + r
    alpha_g = _limit_weights(points, target, setting, "g")
    p_g = _positive(limits.signal(points, target, z, slope, alpha_g), z, slope)
    return Quantities(
        jnp.mean(jnp.where(z_label > 0, p_f, 1 - p_f)),
        jnp.mean(jnp.where(z_label > 0, p_g, 1 - p_g)),
        jnp.mean(p_f * p_g + (1 - p_f) * (1 - p_g)),
        jnp.mean(limits.cosine_law(learned, slope)),
    )


@functools.partial(jax.jit, static_argnums=1)
def measure(key: Array, setting: PerturbationSetting) -> Quantities:
    """The four quantities of a trained pair of finite networks.

    Under the identity loss networks of any width are trained in blocks of neurons; under others
    all weights are held.

    Args:
      key: random key.
      setting: the setting.

    Returns:
      `Quantities`; signs count as +1 at 0.
    """
    (x, y, z, z_label), target, key_f, key_g, _ = draw_run(key, setting)
    slope, network = setting.slope, frozen_readout(setting.slope)

    def after(initial: Params, trained: Params, at: Array, z: Array) -> tuple[Array, Array]:
        return outputs(trained, z, slope), input_gradients(trained, at, slope)

    def fit(key: Array, x: Array, y: Array, at: Array, which: str) -> tuple[Array, Array, Array]:
        """Outputs at z, input gradients at some points, and weights α, after training."""
        descent = setting.descent(which)
        if setting.loss == "identity":
            sums = sum_over_blocks(network, key, setting.m, x, y, descent, after, at, z)
            return *sums, jnp.full(len(x), descent.time)
        n, d = x.shape
        space = cheapest_space(network, descent, n, d, setting.m)
        params, alpha, _ = train(
            network, init(network, key, setting.m, d), x, y, descent, space=space
        )
        return *after(params, params, at, z), alpha

    f, gradients, alpha = fit(key_f, x, y, x, "f")
    r = setting.epsilon * target[:, None] * unit_rows(gradients)
    g, _, _ = fit(key_g, r if setting.scenario == "a" else x + r, target, x[:0], "g")
    sign_f, sign_g = jnp.where(f >= 0, 1.0, -1.0), jnp.where(g >= 0, 1.0, -1.0)
    learned = limits.mean_gradients(x, y, slope, alpha)
    cosines = jnp.sum(unit_rows(gradients) * unit_rows(learned), axis=1)
    return Quantities(
        jnp.mean(sign_f == z_label, dtype=x.dtype),
        jnp.mean(sign_g == z_label, dtype=x.dtype),
        jnp.mean(sign_f == sign_g, dtype=x.dtype),
        jnp.mean(cosines),
    )
