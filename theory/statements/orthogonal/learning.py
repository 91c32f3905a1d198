"""Learning from perturbations of relabelled samples: both networks trained, both predicted."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from theory.certificates import max_margin
from theory.certificates.max_margin import solve
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
from theory.verification.kinds import Deterministic
from theory.verification.statement import Hypothesis, Statement


class LearningSetting(TrainedSetting):
    """A network f on clean samples, and f_adv on perturbed samples with random labels y'."""

    n_adv: int = parameter(8, "noise samples that are perturbed", low=1)
    samples: str = parameter(
        "noise",
        "what is perturbed: noise samples of the law of the data, or the clean samples (n of them)",
        choices=("noise", "natural"),
    )
    norm: str = parameter("l2", "norm of the geometry-inspired perturbations", choices=NORMS)
    fraction: float = parameter(
        0.05, "share of the coordinates that ℓ₀ may change", low=0, high=1, open_low=True
    )
    size: float = parameter(
        0.7, "ℓ₂ length of a perturbation × √n_adv", unit="R", low=0, open_low=True
    )


class Learned(NamedTuple):
    """Both networks, their closed forms, and what decides at each query.

    clean, adversarial: f and f_adv with their `Trained` fields; the queries z are the same.
    effects: `perturbed.Effects` at the queries.
    towards: (q,) ⟨v, z⟩, v the direction of the perturbations.
    asked: (q,) queries that are no tie of either boundary.
    """

    clean: Trained
    adversarial: Trained
    effects: perturbed.Effects
    towards: Float[Array, " q"]
    asked: Bool[Array, " q"]


def _sample(key: Array, config: LearningSetting) -> Learned:
    key_data, key_z, key_target, key_f, key_adv = jax.random.split(key, 5)
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
    d = x.shape[1]
    z = jax.random.normal(key_z, (config.queries, d)) * root_mean_square(x)
    target = jax.random.rademacher(key_target, (n_adv,), x.dtype)
    clean = solve(x, y, config.slope)

    base = x if natural else noise
    direction = ball(config.norm, config.fraction).steepest(clean.limit.normal[None, :])[0]
    length = config.size * root_mean_square(base) * (d / n_adv) ** 0.5
    shift = length * direction / jnp.linalg.norm(direction)
    moved = solve(base + target[:, None] * shift[None, :], target, config.slope)

    # One basis for all: the training points of either network, then the queries.
    points, z_span = max_margin.same_span(jnp.concatenate([x, moved.x]), z)
    parts = (points[: len(x)], points[len(x) :])

    def fit(key: Array, part: Array, label: Array) -> Far:
        return train_far(key, part, label, z_span, d, config)

    if n_adv == config.n:  # both at once: a scan less to compile
        both = jax.vmap(fit)(jnp.stack([key_f, key_adv]), jnp.stack(parts), jnp.stack([y, target]))
        far_f, far_adv = (jax.tree.map(lambda leaf, i=i: leaf[i], both) for i in (0, 1))
    else:
        far_f, far_adv = fit(key_f, parts[0], y), fit(key_adv, parts[1], target)
    networks = [
        Trained(solved, part, far.params, far.cone, z, far.v, far.missing)
        for solved, part, far in zip((clean, moved), parts, (far_f, far_adv), strict=True)
    ]
    seen = perturbed.effects(moved.limit, base, target, shift, z)
    tied = ties(clean.limit.normal, z, config.tie) | ties(moved.limit.normal, z, config.tie)
    return Learned(networks[0], networks[1], seen, z @ shift, ~tied)


def _sufficient(instance: Learned) -> Margin:
    """|perturbation effect| > |mislabelled effect| and sgn⟨v, z⟩ = sgn⟨q, z⟩, at each query."""
    first, second, error = instance.effects
    right = jnp.sign(instance.towards) == jnp.sign(_boundary(instance))
    gap = jnp.abs(second) - jnp.abs(first)
    ratio = jnp.abs(second) / jnp.maximum(jnp.abs(first), jnp.finfo(first.dtype).tiny)
    found = margin(jnp.where(right, gap, -jnp.abs(gap)), 2 * error)
    return dataclasses.replace(found, ratio=jnp.where(right, ratio, 0))


def _exact(instance: Learned) -> Margin:
    """sgn⟨q, z⟩(mislabelled + perturbation effect) > 0, at each query."""
    first, second, error = instance.effects
    return margin(jnp.sign(_boundary(instance)) * (first + second), error)


def _boundary(instance: Learned) -> Array:
    return instance.clean.z @ instance.clean.solved.limit.normal


def _at_first(condition: Any) -> Any:
    def check(instance: Learned, _: Any) -> Margin:
        return jax.tree.map(lambda part: part[0], condition(instance))

    return check


def _somewhere(instance: Learned, _: Any) -> Margin:
    """The largest margin of the sufficient condition over the queries."""
    found = _sufficient(instance)
    best = jnp.argmax(jnp.where(instance.asked, found.value - found.error, -jnp.inf))
    return jax.tree.map(lambda part: part[best], found)


def _same_sign(instance: Learned, _: Any) -> Margin:
    """sgn f_adv(z; ∞) = sgn f(z; ∞) wherever the sufficient condition holds and nothing is tied.

    The sign of both outputs is that of their product, whose error follows from theirs.
    """
    f, g = instance.clean, instance.adversarial
    concerned = instance.asked & _sufficient(instance).holds
    known = concerned & jnp.isfinite(f.missing) & jnp.isfinite(g.missing)
    f_missing, g_missing = jnp.where(known, f.missing, 0), jnp.where(known, g.missing, 0)
    error = jnp.abs(f.v) * g_missing + jnp.abs(g.v) * f_missing + f_missing * g_missing
    value = jnp.where(concerned, f.v * g.v, jnp.inf)
    error = jnp.where(concerned & ~known, jnp.inf, error)
    return margin(value, error, infinite=True).all()


def _clean(instance: Learned) -> Any:
    return instance.clean.solved


def _moved(instance: Learned) -> Any:
    return instance.adversarial.solved


SUFFICIENT = "|ε(Σλ')⟨v, z⟩| > |Σ_k λ'_k y'_k⟨x_k, z⟩| and sgn⟨v, z⟩ = sgn⟨q, z⟩"
SOMEWHERE = Hypothesis(_somewhere, SUFFICIENT + ", at one query at least", tier="data")
MEASURED = {
    "sufficient, first query": Hypothesis(_at_first(_sufficient), SUFFICIENT, tier="data"),
    "exact, first query": Hypothesis(
        _at_first(_exact), "sgn⟨q, z⟩(Σ_k λ'_k y'_k⟨x_k, z⟩ + ε(Σλ')⟨v, z⟩) > 0", tier="data"
    ),
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
    Statement(
        id="orthogonal.learning-from-perturbations",
        title="a network that sees only perturbed noise predicts like the one attacked",
        says=SAYS.format(premise="Both training sets are near-orthogonal."),
        source="Kumano et al. 2024a, Theorem 4.1 (reconstructed)",
        caveat=CAVEAT,
        sample=_sample,
        hypotheses={
            "f: near-orthogonality": hypothesis("near-orthogonality", _clean),
            "f_adv: near-orthogonality": hypothesis("near-orthogonality", _moved),
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
    Statement(
        id="orthogonal.learning-from-perturbations-certified",
        title="the same with more samples, from certificates instead of near-orthogonality",
        says=SAYS.format(
            premise="For both sets the closed form is a KKT point and gradient flow provably never "
            "leaves the cone."
        ),
        source=OURS,
        sample=_sample,
        hypotheses={
            "f: KKT certificate": hypothesis("KKT certificate", _clean),
            "f_adv: KKT certificate": hypothesis("KKT certificate", _moved),
            "f: cone never left": hypothesis("cone never left", lambda i: i.clean),
            "f_adv: cone never left": hypothesis("cone never left", lambda i: i.adversarial),
            "sufficient somewhere": SOMEWHERE,
        },
        measured={
            "f: near-orthogonality": hypothesis("near-orthogonality", _clean),
            "f_adv: near-orthogonality": hypothesis("near-orthogonality", _moved),
            **MEASURED,
        },
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
