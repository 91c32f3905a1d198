"""Learning from perturbations (K24b): predicted in the infinite-width limit, and trained.

f is trained on clean data, its perturbations are relabelled at random, and g is trained on them.
Predictions (`theory.perturbations.prediction`) and measurements are the same four quantities, on
the same data. High dimensions are reduced to that of the subspace in which everything happens
(`theory.data.subspace`). Settings are arguments of what is compiled: one compilation serves all of
the same sizes and choices, whatever their slope, ε, learning rates, momentum and steps are; keys
may be vmapped over.
"""

import dataclasses
import functools
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._validation import takes_arrays, takes_numbers
from theory.data.sampling import Dataset, Sample, data_parameter, draw
from theory.data.subspace import draw_in_subspace, with_orthogonal_part
from theory.infinite_width import lazy
from theory.networks.blocks import block_size, sum_over_blocks
from theory.networks.descent import SCHEDULES, Descent
from theory.networks.network import (
    Network,
    Params,
    frozen_readout,
    init,
    input_gradients,
    leaky_relu_derivative,
    outputs,
    pre_activations,
)
from theory.networks.training import cheapest_space, train
from theory.parameters import Parameters, parameter
from theory.perturbations.attacks import unit_rows

# A number or an array of them, whether one is claimed, or where it is best.
Quantity: TypeAlias = Any


class PerturbationSetting(Parameters):
    """One setting of K24b's experiments.

    Sizes are the paper's; what is measured is not: the published accuracies are those on the
    training points and the published cosine is absolute (`measure_on`, `cosine`, `schedule`).
    """

    data: str | Dataset = data_parameter("shifted-gaussian")
    n: int = parameter(1000, "training points", low=1)
    d: int = parameter(100, "dimension", low=1)
    m: int = parameter(100, "width of both networks", low=1)
    slope: float = parameter(0.0, "slope γ", low=0, high=1, open_high=True)
    loss: str = parameter("identity", "training loss", choices=("identity", "logistic"))
    epsilon: float = parameter(0.01, "size ε of a perturbation", unit="of x", low=0)
    scenario: str = parameter(
        "a", "g sees a: perturbations alone, b: perturbed samples", choices=("a", "b")
    )
    lr_f: float = parameter(0.1, "learning rate of f", low=0, open_low=True)
    lr_g: float = parameter(0.1, "learning rate of g", low=0, open_low=True)
    momentum: float = parameter(0.9, "momentum μ", low=0, high=1, open_high=True)
    steps_f: int = parameter(1000, "gradient steps of f", low=1, traced=True)
    steps_g: int = parameter(1000, "gradient steps of g", low=1, traced=True)
    schedule: str = parameter("constant", "learning rates over the steps", choices=SCHEDULES)
    queries: int = parameter(1000, "test points", low=1)
    measure_on: str = parameter(
        "fresh", "accuracies on fresh test points or on f's training points",
        choices=("fresh", "training"),
    )  # fmt: skip
    cosine: str = parameter("signed", "mean of cos or of |cos|", choices=("signed", "absolute"))

    @property
    def reduced(self) -> bool:
        """Whether d is so large that coordinates of a subspace are fewer than half of it."""
        return self.d > 2 * (2 * self.n + self.queries + 1)

    @property
    def columns(self) -> tuple[int, int]:
        """Coordinates of the points that f and g see."""
        if not self.reduced:
            return self.d, self.d
        return self.n + self.queries + 1, 2 * self.n + self.queries + 1

    def network(self, columns: int) -> Network:
        """Both networks, on points of so many coordinates: hidden weights have variance 1/d."""
        network = frozen_readout(self.slope)
        return dataclasses.replace(network, scale=(columns / self.d) ** 0.5)

    def descent(self, which: str) -> Descent:
        """How network "f" or "g" is trained."""
        rate, steps = getattr(self, f"lr_{which}"), getattr(self, f"steps_{which}")
        return Descent(rate, steps, self.loss, self.momentum, schedule=self.schedule)

    @property
    def independent(self) -> bool:
        """Whether neurons evolve independently of one another."""
        return self.loss == "identity" and self.schedule == "constant"

    def absolute(self, cosines: Array) -> Array:
        """What is averaged of cosines: themselves, or their absolute values."""
        return jnp.abs(cosines) if self.cosine == "absolute" else cosines


class Quantities(NamedTuple):
    """What is predicted and what is measured, scalars.

    accuracy_f, accuracy_g: share of the test points, or of f's training points where
      `measure_on` says so, that are classified like their label.
    agreement: share of test points at which sgn f = sgn g.
    cosine: mean over samples of cos(∇f(x_k; T_f), Σ_j y_jα_jΦ(x_j, x_k)x_j), the perturbation
      against the training-sample sum, or of its absolute value.
    """

    accuracy_f: Quantity
    accuracy_g: Quantity
    agreement: Quantity
    cosine: Quantity


class Draw(NamedTuple):
    """The randomness of one run: data, relabelling, and keys of everything else.

    Points have d coordinates or, where the setting is reduced, those of a subspace.
    """

    sample: Sample
    target: Float[Array, " n"]
    key_f: Array
    key_g: Array
    key_noise: Array


@takes_arrays
def draw_run(key: Array, setting: PerturbationSetting) -> Draw:
    """Draws the data and the random labels y' of one run."""
    key_data, key_target, key_f, key_g, key_noise = jax.random.split(key, 5)
    draw_points = draw_in_subspace if setting.reduced else draw
    sample = draw_points(key_data, setting.data, setting.n, setting.d, queries=setting.queries)
    target = jax.random.rademacher(key_target, (setting.n,), float)
    return Draw(sample, target, key_f, key_g, key_noise)


class Gradients(NamedTuple):
    """Input gradients of some neurons at n points, in a form that adds up over neurons.

    inside: (n, r) Σ_i s_ik w_i in the coordinates of the points, s_ik = a_i φ'(h_i(x_k)).
    gram: (n, n) Σ_i s_ij s_ik where the setting is reduced, else None.
    """

    inside: Float[Array, "n r"]
    gram: Float[Array, "n n"] | None


def gradients_of(params: Params, x: Array, setting: PerturbationSetting) -> Gradients:
    """The gradients of the neurons of `params` at the points x."""
    inside = input_gradients(params, x, setting.slope)
    if not setting.reduced:
        return Gradients(inside, None)
    active = leaky_relu_derivative(pre_activations(params, x), setting.slope) * params.a[None, :]
    return Gradients(inside, active @ active.T)


def completed(key: Array, gradients: Gradients, setting: PerturbationSetting) -> Array:
    """The gradients in all coordinates that there are, (n, d) or in the larger subspace."""
    if gradients.gram is None:
        return gradients.inside
    return with_orthogonal_part(key, gradients.inside, gradients.gram, setting.d)


def widened(points: Array, columns: int) -> Array:
    """Points of a subspace in coordinates of a larger one."""
    return jnp.pad(points, ((0, 0), (0, columns - points.shape[1])))


def tested_points(
    x: Array, y: Array, z: Array, z_label: Array, setting: PerturbationSetting
) -> tuple[Array, Array]:
    """Points at which outputs are needed, and the labels of those that accuracies are of."""
    if setting.measure_on == "fresh":
        return z, z_label
    return jnp.concatenate([z, x]), y


def tested_parts(setting: PerturbationSetting) -> tuple[slice, slice]:
    """Which of those points the agreement is of, and which the accuracies."""
    q = setting.queries
    return slice(0, q), slice(0, q) if setting.measure_on == "fresh" else slice(q, None)


@takes_arrays
def measure(key: Array, setting: PerturbationSetting) -> Quantities:
    """The four quantities of a trained pair of finite networks.

    Under the identity loss at a constant rate networks of any width are trained in blocks of
    neurons; otherwise all weights are held.

    Args:
      key: random key.
      setting: the setting.

    Returns:
      `Quantities`; signs count as +1 at 0, and shares are NaN where training overflowed.
    """
    return measure_in(key, setting, training_spaces(setting))


@takes_numbers
def training_spaces(setting: PerturbationSetting) -> tuple[str, str]:
    """Where f and g are trained, chosen by cost before steps are traced."""
    n, (d_f, d_g) = setting.n, setting.columns
    m = block_size(setting.m) if setting.independent else setting.m
    return (
        cheapest_space(setting.network(d_f), setting.descent("f"), n, d_f, m),
        cheapest_space(setting.network(d_g), setting.descent("g"), n, d_g, m),
    )


def observed(
    _: Params | None, trained: Params, at: Array, z: Array, setting: PerturbationSetting
) -> tuple[Array, Gradients]:
    """Outputs at z and input gradients at some points."""
    return outputs(trained, z, setting.slope), gradients_of(trained, at, setting)


@functools.partial(jax.jit, static_argnums=2)
def measure_in(key: Array, setting: PerturbationSetting, spaces: tuple[str, str]) -> Quantities:
    """What `measure` compiles, for given `training_spaces`."""
    begun = begin(key, setting)
    x, y, seen = begun.x, begun.y, begun.seen

    def fit(
        key: Array, x: Array, y: Array, at: Array, z: Array, which: str
    ) -> tuple[Array, Gradients, Array]:
        """What is seen after training, and weights α."""
        descent, (n, columns), m = setting.descent(which), x.shape, setting.m
        network, space = setting.network(columns), spaces["fg".index(which)]
        if setting.independent:
            sums = sum_over_blocks(
                network, key, m, x, y, descent, observed, at, z, setting, space=space
            )
            return *sums, jnp.full(n, descent.time, x.dtype)
        params = init(network, key, m, columns)
        trained = train(network, params, x, y, descent, space=space)
        return *observed(params, trained.params, at, z, setting), trained.weights

    f, sums, alpha = fit(begun.key_f, x, y, x, seen, "f")
    crafted = craft(begun, sums, setting)
    points = crafted.points
    g, _, _ = fit(begun.key_g, points, begun.target, points[:0], crafted.seen, "g")
    return compare(begun, crafted, f, alpha, g, setting)


class Begun(NamedTuple):
    """A run before training: what f is trained on, y', what is seen, its labels, and keys.

    key_part: of the part of gradients that lies outside the subspace of the points.
    """

    x: Float[Array, "n r"]
    y: Float[Array, " n"]
    target: Float[Array, " n"]
    seen: Float[Array, "q r"]
    label: Float[Array, " p"]
    key_f: Array
    key_g: Array
    key_part: Array


class Crafted(NamedTuple):
    """What g is trained on, and what it sees. gradients: of f, in the coordinates of both."""

    points: Float[Array, "n s"]
    seen: Float[Array, "q s"]
    gradients: Float[Array, "n s"]


def begin(key: Array, setting: PerturbationSetting) -> Begun:
    """All that is drawn before training."""
    (x, y, z, z_label), target, key_f, key_g, _ = draw_run(key, setting)
    key_f, key_part = jax.random.split(key_f)
    seen, label = tested_points(x, y, z, z_label, setting)
    return Begun(x, y, target, seen, label, key_f, key_g, key_part)


def craft(begun: Begun, sums: Gradients, setting: PerturbationSetting) -> Crafted:
    """Perturbations of f, from its gradients."""
    gradients = completed(begun.key_part, sums, setting)
    columns = gradients.shape[1]
    r = setting.epsilon * begun.target[:, None] * unit_rows(gradients)
    points = r if setting.scenario == "a" else widened(begun.x, columns) + r
    return Crafted(points, widened(begun.seen, columns), gradients)


def compare(
    begun: Begun, crafted: Crafted, f: Array, alpha: Array, g: Array, setting: PerturbationSetting
) -> Quantities:
    """The quantities from outputs f and g at what is seen, and f's weights α."""
    sign_f, sign_g = _signs(f), _signs(g)
    learned = lazy.mean_gradients(begun.x, begun.y, setting.slope, alpha, setting.d)
    along = unit_rows(widened(learned, crafted.gradients.shape[1]))
    cosines = jnp.sum(unit_rows(crafted.gradients) * along, axis=1)
    at_z, at_label = tested_parts(setting)
    return Quantities(
        _share_equal(sign_f[at_label], begun.label),
        _share_equal(sign_g[at_label], begun.label),
        _share_equal(sign_f[at_z], sign_g[at_z]),
        jnp.mean(setting.absolute(cosines)),
    )


def _signs(outputs: Array) -> Array:
    """±1, +1 at 0, and NaN for outputs that are none: −1 would look like an answer."""
    return jnp.where(jnp.isnan(outputs), outputs, jnp.where(outputs >= 0, 1.0, -1.0))


def share_of_plus(outputs: Array) -> Array:
    """1 where outputs are ≥ 0, else 0, and NaN for outputs that are none."""
    return (1 + _signs(outputs)) / 2


def _share_equal(signs: Array, others: Array) -> Array:
    """Share of signs that are equal, NaN if one is."""
    return jnp.mean((1 + signs * others) / 2)
