"""The stable rank ‖W‖_F²/‖W‖² of the limit: two directions, one of each sign of the readout."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import maximum, minimum
from theory.certificates.max_margin import Solved
from theory.margins import Margin, exceeds, margin, rounding_error
from theory.parameters import parameter
from theory.statements.orthogonal.boundary import DOMAIN, UNTRAINED, of_closed_form
from theory.statements.orthogonal.certificates import hypothesis
from theory.statements.orthogonal.setting import (
    DataSetting,
    Trained,
    TrainedSetting,
    sample_halfway,
)
from theory.statements.orthogonal.uniformity import Value, geometry
from theory.verification.kinds import Deterministic
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, Statement


class RankSetting(TrainedSetting):
    """A network trained on log L, and how finely its stable rank is compared."""

    within: float = parameter(
        0.002,
        "relative difference below which two stable ranks count as equal",
        low=0,
        open_low=True,
    )


class Ranked(NamedTuple):
    """A trained network with its stable rank.

    rank: ‖W‖_F²/‖W‖² after all steps.
    missing: what may be missing from it to t → ∞; infinite where that is not known.
    """

    trained: Trained
    rank: Float[Array, ""]
    missing: Float[Array, ""]


# --- what is claimed ------------------------------------------------------------------------------


def stable_rank(w: Float[Array, "m e"]) -> Float[Array, ""]:
    """‖W‖_F²/‖W‖², by singular values."""
    values = jnp.linalg.svd(w, compute_uv=False)
    return jnp.sum(values**2) / values[0] ** 2


def of_limit(solved: Solved) -> Value:
    """(‖u₊‖² + ‖u₋‖²)/λ_max(Gram(u₊, u₋)), between 1 and 2.

    It is 1 + (σ₂/σ₁)², σ the singular values of the rows u₊ and u₋. If these are off by η
    together, so is either σ, and σ₂/σ₁ by 2η/(σ₁ − η).
    """
    limit = solved.limit
    u, v = limit.u_plus, limit.u_minus
    a, b, c = jnp.sum(u**2), jnp.sum(v**2), jnp.sum(u * v)
    largest = (a + b + jnp.sqrt((a - b) ** 2 + 4 * c**2)) / 2
    lengths = jnp.sqrt(jnp.sum(solved.x**2, axis=1))
    off = limit.multiplier_error * jnp.sum(lengths)
    off = 2 * (off + rounding_error(len(lengths) + 8, jnp.abs(limit.multipliers) @ lengths))
    room = jnp.sqrt(largest) - 2 * off
    ratio = jnp.where(room > 0, 2 * off / jnp.where(room > 0, room, 1), jnp.inf)
    error = ratio * (2 + ratio) + rounding_error(len(u) + 32, 16.0)
    return Value((a + b) / largest, jnp.where(jnp.isfinite(error), error, jnp.inf))


def of_product(t: Array) -> Array:
    """2/(1 + √(1 − t)), the stable rank at t = 4 det(G)/tr(G)², G the Gram matrix of u₊ and u₋."""
    return 2 / (1 + jnp.sqrt(jnp.maximum(1 - t, 0)))


def lowest(odds: Array, load: Array, slope: float) -> Array:
    """The lower end: g·s(o/k)·((1 − γe/(1+γ²))² − e²/4) as t; 1 where that is not positive."""
    e, stretch, grown, g = _parts(load, slope)
    product = jnp.maximum(1 - grown, 0) ** 2 - e**2 / 4
    return of_product(g * _share(odds / stretch) * jnp.maximum(product, 0))


def highest(odds: Array, load: Array, slope: float) -> Array:
    """The upper end: g·s(min(1, k·o))·(1 + γe/(1+γ²))² as t, at most 1."""
    _, stretch, grown, g = _parts(load, slope)
    product = g * _share(jnp.minimum(odds * stretch, 1)) * (1 + grown) ** 2
    return of_product(jnp.where(odds > 0, product, 0))  # 0·∞ is no number


def _parts(load: Array, slope: float) -> tuple[Array, Array, Array, float]:
    """e = 2h/(1 − h), k = (2 + e)/(2 − e), γe/(1 + γ²), g = ((1 − γ²)/(1 + γ²))².

    Where h ≥ ½, so that e ≥ 2, nothing is promised: e = ∞ and k = ∞.
    """
    promised = load < 0.5
    h = jnp.where(promised, load, 0)
    e = 2 * h / (1 - h)
    stretch = jnp.where(promised, (2 + e) / (2 - e), jnp.inf)
    e = jnp.where(promised, e, jnp.inf)
    return e, stretch, slope * e / (1 + slope**2), ((1 - slope**2) / (1 + slope**2)) ** 2


def _share(odds: Array) -> Array:
    """s(o) = 4o/(1 + o)², which grows on [0, 1]."""
    return 4 * odds / (1 + odds) ** 2


# --- instances and conditions ---------------------------------------------------------------------


def _training(key: Array, earlier: Staged, config: RankSetting) -> Ranked:
    trained, halfway = sample_halfway(key, earlier.closed_form, config)
    rank = stable_rank(trained.params.w)
    known = jnp.all(jnp.isfinite(trained.missing))
    missing = 2 * jnp.abs(rank - stable_rank(halfway))
    return Ranked(trained, rank, jnp.where(known, missing, jnp.inf))


def _equal(drawn: Staged, config: RankSetting) -> Margin:
    """The stable rank of training is that of the closed form, as a relative difference."""
    found: Ranked = drawn.training
    claimed, error = of_limit(drawn.closed_form)
    difference = jnp.abs(found.rank - claimed) / claimed
    # claimed ≥ 1, and both are at most the width: the quotient's own rounding is no more than that.
    error = error + rounding_error(config.m + 32, found.rank)
    return margin(config.within - difference, found.missing / claimed + (1 + difference) * error)


def _range(drawn: Staged, _: DataSetting) -> Margin:
    """The stable rank of the closed form between both ends, as excesses over 1."""
    instance: Solved = drawn.closed_form
    slope = float(instance.slope)
    (odds, off_odds), (load, off_load) = _odds(instance), geometry(instance.x, slope)[1]
    fewer, more = jnp.maximum(odds - off_odds, 0), jnp.minimum(odds + off_odds, 1)
    tighter, looser = jnp.maximum(load - off_load, 0), load + off_load

    def end(of: Callable[..., Array], narrow: Array, wide: Array) -> Value:
        value = of(odds, load, slope)
        inside, outside = of(narrow, tighter, slope), of(wide, looser, slope)
        return Value(value, jnp.maximum(jnp.abs(inside - value), jnp.abs(outside - value)))

    least, most = end(lowest, more, fewer), end(highest, fewer, more)
    rank, error = of_limit(instance)
    errors = error + rounding_error(32, 4.0) + jnp.stack([most.error, least.error])
    left, right = jnp.stack([most.value, rank]), jnp.stack([rank, least.value])
    return exceeds(left - 1, right - 1, errors).all()


def _odds(solved: Solved) -> Value:
    """min(N₊, N₋)/max(N₊, N₋), N± = Σ 1/‖x_k‖² over a label."""
    x, y, n = solved.x, solved.y, len(solved.x)
    squared = jnp.sum(x**2, axis=1)
    inverses = minimum(squared) / squared
    plus, minus = jnp.sum(jnp.where(y > 0, inverses, 0)), jnp.sum(jnp.where(y < 0, inverses, 0))
    odds = jnp.minimum(plus, minus) / maximum(jnp.stack([plus, minus]))
    return Value(odds, odds * rounding_error(4 * (x.shape[1] + n + 8), 1.0))


def of_training(name: str) -> Hypothesis:
    """The condition of that name, of the trained network."""
    return hypothesis(name, lambda i: i.training.trained, "training")


NEAR = {"near-orthogonality": of_closed_form("near-orthogonality")}

STATEMENTS = (
    Statement[RankSetting, Staged](
        id="orthogonal.stable-rank",
        title="the weights end with the stable rank of two directions",
        says="Near-orthogonality implies that ‖W‖_F²/‖W‖² tends to (‖u₊‖² + ‖u₋‖²)/λ_max(Gram(u₊, "
        "u₋)) from any initialization: 2(1+γ²)/(1+γ)² for as many orthonormal samples of either "
        "label, above 1 as soon as both labels occur, and 1 for the rows of either sign alone. "
        "Checked by training, with the distance still missing to infinite time as the error, to "
        "the relative difference `within`.",
        source="ours, from Frei et al. 2023",
        stages={**UNTRAINED, "training": _training},
        domain=DOMAIN,
        hypotheses=NEAR,
        measured={
            "KKT certificate": of_closed_form("KKT certificate"),
            "cone never left": of_training("cone never left"),
            "cone reached": of_training("cone reached"),
        },
        claim=Deterministic(conclusion=_equal),
        config=RankSetting(),
        draws={"quick": 20, "full": 500},
        data=True,
    ),
    Statement(
        id="orthogonal.stable-rank-range",
        title="near-orthogonality alone fixes the stable rank up to a few per cent",
        says="Near-orthogonality implies 2/(1 + √(1 − t₋)) ≤ ‖W‖_F²/‖W‖² ≤ 2/(1 + √(1 − t₊)) for "
        "t → ∞, t₋ = g s(o/k)((1 − ce/2)² − e²/4), t₊ = g s(min(1, ko))(1 + ce/2)², with "
        "g = ((1−γ²)/(1+γ²))², c = 2γ/(1+γ²), e = 2h/(1−h), h = n p_max/R_min², k = (2+e)/(2−e), "
        "s(o) = 4o/(1+o)² and o ≤ 1 the odds of the labels, each sample weighted by 1/‖x_k‖². No "
        "multiplier is needed.",
        source="ours, from Frei et al. 2023",
        stages=UNTRAINED,
        domain=DOMAIN,
        hypotheses=NEAR,
        measured={"KKT certificate": of_closed_form("KKT certificate")},
        claim=Deterministic(conclusion=_range),
        config=DataSetting(load=0.99),
        draws={"quick": 500, "full": 10_000},
        data=True,
        batch=64,
    ),
)
