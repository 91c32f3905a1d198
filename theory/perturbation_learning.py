"""Learning from perturbations (K24b): predicted in the infinite-width limit, and trained.

f is trained on clean data, its perturbations are relabelled at random, and g is trained on them.
Predictions and measurements are the same four quantities, on the same data. High dimensions are
reduced to that of the subspace in which everything happens (`theory.subspace`). Settings are
arguments of what is compiled: one compilation serves all of the same sizes and choices, whatever
their slope, ε, learning rates, momentum and steps are; keys may be vmapped over.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import limits
from theory.attacks import unit_rows
from theory.blocks import block_size, sum_over_blocks
from theory.data import Sample, data_parameter, draw
from theory.descent import Descent
from theory.infinite_width import WIDE, limit, probability_of_plus
from theory.networks import (
    Network,
    Params,
    frozen_readout,
    init,
    input_gradients,
    leaky_relu_derivative,
    outputs,
    pre_activations,
)
from theory.parameters import Parameters, parameter
from theory.subspace import draw_in_subspace, with_orthogonal_part
from theory.training import cheapest_space, train


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
    steps_f: int = parameter(1000, "gradient steps of f", low=1, traced=True)
    steps_g: int = parameter(1000, "gradient steps of g", low=1, traced=True)
    queries: int = parameter(500, "test points", low=1)

    @property
    def reduced(self) -> bool:
        """Whether d is so large that coordinates of a subspace are fewer than half of it."""
        return self.d > 2 * (2 * self.n + self.queries + 1)

    def network(self, columns: int) -> Network:
        """Both networks, on points of so many coordinates: hidden weights have variance 1/d."""
        network = frozen_readout(self.slope)
        return dataclasses.replace(network, scale=(columns / self.d) ** 0.5)

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
    """The randomness of one run: data, relabelling, and keys of everything else.

    Points have d coordinates or, where the setting is reduced, those of a subspace.
    """

    sample: Sample
    target: Float[Array, " n"]
    key_f: Array
    key_g: Array
    key_noise: Array


def draw_run(key: Array, setting: PerturbationSetting) -> Draw:
    """Draws the data and the random labels y' of one run."""
    key_data, key_target, key_f, key_g, key_noise = jax.random.split(key, 5)
    draw_points = draw_in_subspace if setting.reduced else draw
    sample = draw_points(key_data, setting.data, setting.n, setting.d, queries=setting.queries)
    target = jax.random.rademacher(key_target, (setting.n,), float)
    return Draw(sample, target, key_f, key_g, key_noise)


class _Gradients(NamedTuple):
    """Input gradients of some neurons at n points, in a form that adds up over neurons.

    inside: (n, r) Σ_i s_ik w_i in the coordinates of the points, s_ik = a_i φ'(h_i(x_k)).
    gram: (n, n) Σ_i s_ij s_ik where the setting is reduced, else None.
    """

    inside: Float[Array, "n r"]
    gram: Float[Array, "n n"] | None


def _gradients(params: Params, x: Array, setting: PerturbationSetting) -> _Gradients:
    inside = input_gradients(params, x, setting.slope)
    if not setting.reduced:
        return _Gradients(inside, None)
    active = leaky_relu_derivative(pre_activations(params, x), setting.slope) * params.a[None, :]
    return _Gradients(inside, active @ active.T)


def _completed(key: Array, gradients: _Gradients, setting: PerturbationSetting) -> Array:
    """The gradients in all coordinates that there are, (n, d) or in the larger subspace."""
    if gradients.gram is None:
        return gradients.inside
    return with_orthogonal_part(key, gradients.inside, gradients.gram, setting.d)


def _widened(points: Array, columns: int) -> Array:
    """Points of a subspace in coordinates of a larger one."""
    return jnp.pad(points, ((0, 0), (0, columns - points.shape[1])))


@jax.jit
def predict(key: Array, setting: PerturbationSetting) -> Quantities:
    """The four quantities in the infinite-width limit, without training.

    f(z; T) = f(z; 0) + k_f(z) and ∇f(x_k; T) = ξ_k + v_k with v_k the training-sample sum; f(z; 0)
    and ξ are jointly Gaussian, drawn as the initial outputs and gradients of one network of width
    `infinite_width.WIDE`: they are correlated, so that g learns of f(z; 0) through perturbations
    even where f has learned nothing. g the same, trained on the perturbations that follow.

    Under the identity loss accuracies are probabilities over the initial outputs, and so is the
    agreement over those of g. Under others the initial outputs are drawn, since the weights α
    depend on them.

    Args:
      key: random key, the same as for `measure` to predict that run.
      setting: the setting.

    Returns:
      `Quantities`, for one draw of data, y', f(·; 0) and ξ. The width enters nowhere: T ≪ √m is
      assumed.

    Source:
      K24b; the cosine law is `limits.cosine_law`.
    """
    (x, y, z, z_label), target, _, _, key_noise = draw_run(key, setting)
    slope, d = setting.slope, setting.d
    key_f, key_part, key_g = jax.random.split(key_noise, 3)
    wide = init(setting.network(x.shape[1]), key_f, WIDE, x.shape[1])
    f = limit(wide, x, y, z, slope, setting.descent("f"), d)
    noise = _completed(key_part, _gradients(wide, x, setting), setting)
    columns = noise.shape[1]
    r = setting.epsilon * target[:, None] * unit_rows(_widened(f.learned, columns) + noise)

    points = r if setting.scenario == "a" else _widened(x, columns) + r
    z_wide = _widened(z, columns)
    wide = init(setting.network(columns), key_g, WIDE, columns)
    g = limit(wide, points, target, z_wide, slope, setting.descent("g"), d)
    sign_f = jnp.where(f.outputs >= 0, 1.0, 0.0)
    if setting.loss == "identity":
        p_f = probability_of_plus(f.signal, z, slope, d)
        p_g = probability_of_plus(g.signal, z_wide, slope, d)
    else:
        p_f, p_g = sign_f, jnp.where(g.outputs >= 0, 1.0, 0.0)
    return Quantities(
        jnp.mean(jnp.where(z_label > 0, p_f, 1 - p_f)),
        jnp.mean(jnp.where(z_label > 0, p_g, 1 - p_g)),
        jnp.mean(sign_f * p_g + (1 - sign_f) * (1 - p_g)),
        jnp.mean(limits.cosine_law(f.learned, slope)),
    )


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
    return _measure(key, setting, _spaces(setting))


def _spaces(setting: PerturbationSetting) -> tuple[str, str]:
    """Where f and g are trained, chosen by cost before steps are traced."""
    n, d_f, d_g = setting.n, setting.d, setting.d
    if setting.reduced:
        d_f, d_g = n + setting.queries + 1, 2 * n + setting.queries + 1
    m = block_size(setting.m) if setting.loss == "identity" else setting.m
    return (
        cheapest_space(setting.network(d_f), setting.descent("f"), n, d_f, m),
        cheapest_space(setting.network(d_g), setting.descent("g"), n, d_g, m),
    )


def _seen(
    _: Params, trained: Params, at: Array, z: Array, setting: PerturbationSetting
) -> tuple[Array, _Gradients]:
    """Outputs at z and input gradients at some points."""
    return outputs(trained, z, setting.slope), _gradients(trained, at, setting)


@functools.partial(jax.jit, static_argnums=2)
def _measure(key: Array, setting: PerturbationSetting, spaces: tuple[str, str]) -> Quantities:
    (x, y, z, z_label), target, key_f, key_g, _ = draw_run(key, setting)
    key_f, key_part = jax.random.split(key_f)

    def fit(
        key: Array, x: Array, y: Array, at: Array, z: Array, which: str
    ) -> tuple[Array, _Gradients, Array]:
        """What is seen after training, and weights α."""
        descent, (n, columns), m = setting.descent(which), x.shape, setting.m
        network, space = setting.network(columns), spaces["fg".index(which)]
        if setting.loss == "identity":
            sums = sum_over_blocks(
                network, key, m, x, y, descent, _seen, at, z, setting, space=space
            )
            return *sums, jnp.full(n, descent.time, x.dtype)
        params = init(network, key, m, columns)
        params, alpha, _ = train(network, params, x, y, descent, space=space)
        return *_seen(params, params, at, z, setting), alpha

    f, sums, alpha = fit(key_f, x, y, x, z, "f")
    gradients = _completed(key_part, sums, setting)
    columns = gradients.shape[1]
    r = setting.epsilon * target[:, None] * unit_rows(gradients)
    points = r if setting.scenario == "a" else _widened(x, columns) + r
    g, _, _ = fit(key_g, points, target, points[:0], _widened(z, columns), "g")
    sign_f, sign_g = jnp.where(f >= 0, 1.0, -1.0), jnp.where(g >= 0, 1.0, -1.0)
    learned = limits.mean_gradients(x, y, setting.slope, alpha, setting.d)
    cosines = jnp.sum(unit_rows(gradients) * unit_rows(_widened(learned, columns)), axis=1)
    return Quantities(
        jnp.mean(sign_f == z_label, dtype=x.dtype),
        jnp.mean(sign_g == z_label, dtype=x.dtype),
        jnp.mean(sign_f == sign_g, dtype=x.dtype),
        jnp.mean(cosines),
    )
