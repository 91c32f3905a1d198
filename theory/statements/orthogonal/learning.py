"""Learning from perturbations of relabelled samples: both networks trained, both predicted."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from theory import fields
from theory.certificates import max_margin
from theory.certificates.max_margin import Solved, solve
from theory.data.sampling import draw
from theory.margins import Margin, margin
from theory.parameters import parameter
from theory.perturbations import effects as perturbed
from theory.perturbations.attacks import NORMS, ball
from theory.statements.orthogonal.certificates import hypothesis
from theory.statements.orthogonal.setting import (
    CAVEAT,
    OURS,
    Far,
    Trained,
    TrainedSetting,
    root_mean_square,
    ties,
    train_far,
)
from theory.verification.domains import Reals, Signs
from theory.verification.kinds import Deterministic
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, Statement


class LearningSetting(TrainedSetting):
    """A network f on clean samples, and f_adv on perturbed samples with random labels y'."""

    n_adv: int = fields.perturbed_points(8)
    samples: str = parameter(
        "noise",
        "what is perturbed: noise samples of the law of the data, or the clean samples (n of them)",
        choices=("noise", "natural"),
    )
    norm: str = parameter("l2", "norm of the geometry-inspired perturbations", choices=NORMS)
    fraction: float = fields.sparse_share(0.05)
    size: float = parameter(
        0.7, "ℓ₂ length of a perturbation × √n_adv", unit="R", low=0, open_low=True
    )


class Posed(NamedTuple):
    """Both training sets with their closed forms, and what decides at each query.

    clean, moved: what f and f_adv are trained on.
    z: (q, d) queries.
    effects: `perturbed.Effects` at the queries.
    towards: (q,) ⟨v, z⟩, v the direction of the perturbations.
    asked: (q,) queries that are no tie of either boundary.
    """

    clean: Solved
    moved: Solved
    z: Float[Array, "q d"]
    effects: perturbed.Effects
    towards: Float[Array, " q"]
    asked: Bool[Array, " q"]


class Learned(NamedTuple):
    """Both trained networks, f and f_adv."""

    clean: Trained
    adversarial: Trained


class Points(NamedTuple):
    """What f is trained on and what is perturbed.

    x: (n, d) clean samples.  y: (n,) their labels.
    base: (n_adv, d) what is perturbed, of the law of the data; unused where that is x.
    target: (n_adv,) labels y' of the perturbed samples.  z: (q, d) queries.
    """

    x: Float[Array, "n d"]
    y: Float[Array, " n"]
    base: Float[Array, "n_adv d"]
    target: Float[Array, " n_adv"]
    z: Float[Array, "q d"]


def _points(key: Array, earlier: Staged, config: LearningSetting) -> Points:
    key_data, key_z, key_target = jax.random.split(key, 3)
    natural = config.samples == "natural"
    n_adv = config.n if natural else config.n_adv
    x, y, noise, _ = draw(
        key_data,
        config.data,
        config.n,
        config.d,
        queries=0 if natural else n_adv,
        p_max=config.p_max,
    )
    z = jax.random.normal(key_z, (config.queries, x.shape[1])) * root_mean_square(x)
    return Points(x, y, noise, jax.random.rademacher(key_target, (n_adv,), x.dtype), z)


def _closed_form(key: Array, earlier: Staged, config: LearningSetting) -> Posed:
    x, y, noise, target, z = earlier.points
    clean = solve(x, y, config.slope)

    base = x if config.samples == "natural" else noise
    direction = ball(config.norm, config.fraction).steepest(clean.limit.normal[None, :])[0]
    length = config.size * root_mean_square(base) * (x.shape[1] / len(target)) ** 0.5
    shift = length * direction / jnp.linalg.norm(direction)
    moved = solve(base + target[:, None] * shift[None, :], target, config.slope)

    seen = perturbed.effects(moved.limit, base, target, shift, z)
    tied = ties(clean.limit.normal, z, config.tie) | ties(moved.limit.normal, z, config.tie)
    return Posed(clean, moved, z, seen, z @ shift, ~tied)


def _training(key: Array, earlier: Staged, config: LearningSetting) -> Learned:
    posed: Posed = earlier.closed_form
    clean, moved, z = posed.clean, posed.moved, posed.z
    key_f, key_adv = jax.random.split(key)
    # One basis for all: the training points of either network, then the queries.
    points, z_span = max_margin.same_span(jnp.concatenate([clean.x, moved.x]), z)
    parts = (points[: len(clean.x)], points[len(clean.x) :])

    def fit(key: Array, part: Array, label: Array) -> Far:
        return train_far(key, part, label, z_span, z.shape[1], config)

    if len(clean.x) == len(moved.x):  # both at once: a scan less to compile
        labels = jnp.stack([clean.y, moved.y])
        both = jax.vmap(fit)(jnp.stack([key_f, key_adv]), jnp.stack(parts), labels)
        far_f, far_adv = (jax.tree.map(lambda leaf, i=i: leaf[i], both) for i in (0, 1))
    else:
        far_f, far_adv = fit(key_f, parts[0], clean.y), fit(key_adv, parts[1], moved.y)
    networks = [
        Trained(solved, part, far.params, far.cone, z, far.v, far.missing)
        for solved, part, far in zip((clean, moved), parts, (far_f, far_adv), strict=True)
    ]
    return Learned(*networks)


def _sufficient(posed: Posed) -> Margin:
    """|perturbation effect| > |mislabelled effect| and sgn⟨v, z⟩ = sgn⟨q, z⟩, at each query."""
    first, second, error = posed.effects
    right = jnp.sign(posed.towards) == jnp.sign(_boundary(posed))
    gap = jnp.abs(second) - jnp.abs(first)
    ratio = jnp.abs(second) / jnp.maximum(jnp.abs(first), jnp.finfo(first.dtype).tiny)
    found = margin(jnp.where(right, gap, -jnp.abs(gap)), 2 * error)
    return dataclasses.replace(found, ratio=jnp.where(right, ratio, 0))


def _exact(posed: Posed) -> Margin:
    """sgn⟨q, z⟩(mislabelled + perturbation effect) > 0, at each query."""
    first, second, error = posed.effects
    return margin(jnp.sign(_boundary(posed)) * (first + second), error)


def _boundary(posed: Posed) -> Array:
    return posed.z @ posed.clean.limit.normal


def _at_first(condition: Callable[[Posed], Margin]) -> Callable[[Staged, Any], Margin]:
    def check(instance: Staged, _: object) -> Margin:
        return jax.tree.map(lambda part: part[0], condition(instance.closed_form))

    return check


def _somewhere(instance: Staged, _: object) -> Margin:
    """The largest margin of the sufficient condition over the queries."""
    found = _sufficient(instance.closed_form)
    best = jnp.argmax(jnp.where(instance.closed_form.asked, found.value - found.error, -jnp.inf))
    return jax.tree.map(lambda part: part[best], found)


def _same_sign(instance: Staged, _: object) -> Margin:
    """sgn f_adv(z; ∞) = sgn f(z; ∞) wherever the sufficient condition holds and nothing is tied.

    The sign of both outputs is that of their product, whose error follows from theirs.
    """
    f, g = instance.training
    concerned = instance.closed_form.asked & _sufficient(instance.closed_form).holds
    known = concerned & jnp.isfinite(f.missing) & jnp.isfinite(g.missing)
    f_missing, g_missing = jnp.where(known, f.missing, 0), jnp.where(known, g.missing, 0)
    error = jnp.abs(f.v) * g_missing + jnp.abs(g.v) * f_missing + f_missing * g_missing
    value = jnp.where(concerned, f.v * g.v, jnp.inf)
    error = jnp.where(concerned & ~known, jnp.inf, error)
    return margin(value, error, infinite=True).all()


SUFFICIENT = "|ε(Σλ')⟨v, z⟩| > |Σ_k λ'_k y'_k⟨x_k, z⟩| and sgn⟨v, z⟩ = sgn⟨q, z⟩"
SOMEWHERE = Hypothesis(_somewhere, SUFFICIENT + ", at one query at least", stage="closed_form")
MEASURED = {
    "sufficient, first query": Hypothesis(_at_first(_sufficient), SUFFICIENT, stage="closed_form"),
    "exact, first query": Hypothesis(
        _at_first(_exact),
        "sgn⟨q, z⟩(Σ_k λ'_k y'_k⟨x_k, z⟩ + ε(Σλ')⟨v, z⟩) > 0",
        stage="closed_form",
    ),
}
DOMAIN = {"x": Reals(), "y": Signs(), "base": Reals(), "target": Signs(), "z": Reals()}
STAGES = {"points": _points, "closed_form": _closed_form, "training": _training}


def _of_sets(name: str) -> dict[str, Hypothesis]:
    """The condition of that name, of the training sets of f and f_adv."""
    return {
        f"f: {name}": hypothesis(name, lambda i: i.closed_form.clean, "closed_form"),
        f"f_adv: {name}": hypothesis(name, lambda i: i.closed_form.moved, "closed_form"),
    }


SAYS = (
    "f is trained on (x_k, y_k), f_adv on (x'_k + ε y'_k v, y'_k) with random labels y' and v the "
    "geometry-inspired direction of f's boundary q. {premise} Then sgn f_adv(z; ∞) = sgn f(z; ∞) "
    "at every z where the perturbation effect outweighs the mislabelled one, "
    "|ε(Σλ')⟨v, z⟩| > |Σ_k λ'_k y'_k⟨x'_k, z⟩|, and sgn⟨v, z⟩ = sgn⟨q, z⟩ (always in ℓ₂). Both "
    "networks are trained. Measured at the first query, so that the shares are those of z: this "
    "sufficient condition, with the ratio of the effects, and the exact one."
)


STATEMENTS = (
    Statement[LearningSetting, Staged](
        id="orthogonal.learning-from-perturbations",
        title="a network that sees only perturbed noise predicts like the one attacked",
        says=SAYS.format(premise="Both training sets are near-orthogonal."),
        source="Kumano et al. 2024a, Theorem 4.1 (reconstructed)",
        caveat=CAVEAT,
        stages=STAGES,
        domain=DOMAIN,
        hypotheses={
            **_of_sets("near-orthogonality"),
            "sufficient somewhere": SOMEWHERE,
        },
        measured=MEASURED,
        claim=Deterministic(conclusion=_same_sign),
        config=LearningSetting(
            data="uniform", n=4, n_adv=4, d=10_000, slope=0.9, size=0.3, steps=1000, tie=0.03
        ),
        draws={"quick": 20, "full": 200},
        data=True,
    ),
    Statement[LearningSetting, Staged](
        id="orthogonal.learning-from-perturbations-certified",
        title="the same with more samples, from certificates instead of near-orthogonality",
        says=SAYS.format(
            premise="For both sets the closed form is a KKT point and gradient flow provably never "
            "leaves the cone."
        ),
        source=OURS,
        stages=STAGES,
        domain=DOMAIN,
        hypotheses={
            **_of_sets("KKT certificate"),
            "f: cone never left": hypothesis("cone never left", lambda i: i.training.clean),
            "f_adv: cone never left": hypothesis(
                "cone never left", lambda i: i.training.adversarial
            ),
            "sufficient somewhere": SOMEWHERE,
        },
        measured={**_of_sets("near-orthogonality"), **MEASURED},
        claim=Deterministic(conclusion=_same_sign),
        config=LearningSetting(data="uniform", n=20, n_adv=20, d=2000, steps=1000, tie=0.05),
        cases={
            "ℓ∞ perturbations, logistic loss": {"norm": "linf", "loss": "logistic"},
            "natural samples, ℓ₀ perturbations": {"samples": "natural", "norm": "l0"},
        },
        draws={"quick": 20, "full": 200},
        data=True,
    ),
)
