"""The decision boundary at infinite time, and the range of its multipliers."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float

from theory.certificates import max_margin
from theory.certificates.max_margin import Solved, solve
from theory.data.sampling import draw
from theory.margins import Margin
from theory.statements.orthogonal.certificates import hypothesis, within
from theory.statements.orthogonal.setting import (
    OURS,
    SOURCE,
    DataSetting,
    Trained,
    TrainedSetting,
    agreement,
    sample_trained,
)
from theory.verification.domains import Reals, Signs
from theory.verification.kinds import Deterministic
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, OnData, Statement

SHARPER = "ours, sharper than Frei et al. 2023b, Lemmas 17 and 18"


class Points(NamedTuple):
    """x: (n, d) training points.  y: (n,) their labels."""

    x: Float[Array, "n d"]
    y: Float[Array, " n"]


def _points(key: Array, earlier: Staged, config: DataSetting) -> Points:
    x, y, _, _ = draw(key, config.data, config.n, config.d, queries=0, p_max=config.p_max)
    return Points(x, y)


def _closed_form(key: Array, earlier: Staged, config: DataSetting) -> Solved:
    x, y = earlier.points
    return solve(x, y, config.slope)


def _training(key: Array, earlier: Staged, config: TrainedSetting) -> Trained:
    return sample_trained(key, earlier.closed_form, config)


DOMAIN = {"x": Reals(), "y": Signs()}  # the theorems are about all points and labels
UNTRAINED = {"points": _points, "closed_form": _closed_form}
STAGES = {**UNTRAINED, "training": _training}


def of_closed_form(name: str) -> Hypothesis:
    """The condition of that name, of the points with their closed form."""
    return hypothesis(name, lambda i: i.closed_form, "closed_form")


def of_training(name: str) -> Hypothesis:
    """The condition of that name, of the trained network."""
    return hypothesis(name, lambda i: i.training, "training")


def _agreement(instance: Staged, config: TrainedSetting) -> Margin:
    return agreement(instance.training, config)


def _within(
    bounds: Callable[[Solved], max_margin.MultiplierRange],
) -> Callable[[Staged, DataSetting], Margin]:
    def conclusion(instance: Staged, _: DataSetting) -> Margin:
        solved: Solved = instance.closed_form
        return within(bounds(solved), solved.limit)

    return conclusion


STATEMENTS = (
    Statement[TrainedSetting, Staged](
        id="orthogonal.decision-boundary",
        title="training on near-orthogonal data ends at a linear decision boundary",
        says="Near-orthogonality implies sgn f(z; t → ∞) = sgn Σ_k λ_k y_k⟨x_k, z⟩ from any "
        "initialization. Checked by training: the sign at every query that is no tie, "
        "with the distance still missing to infinite time as the error of the margin. "
        "The certificates of the closed form are measured beside it.",
        source=SOURCE,
        stages=STAGES,
        domain=DOMAIN,
        hypotheses={"near-orthogonality": of_closed_form("near-orthogonality")},
        measured={
            "KKT certificate": of_closed_form("KKT certificate"),
            "global certificate": of_closed_form("global certificate"),
            "cone never left": of_training("cone never left"),
            "cone reached": of_training("cone reached"),
        },
        claim=Deterministic(conclusion=_agreement),
        config=TrainedSetting(),
        draws={"quick": 20, "full": 500},
        data=True,
        on_data={"digits": OnData()},
    ),
    Statement[TrainedSetting, Staged](
        id="orthogonal.decision-boundary-certified",
        title="the same boundary, from a certificate instead of near-orthogonality",
        says="If the closed form λ = H⁻¹(2·1) is a KKT point and training comes so close to it "
        "that gradient flow provably never leaves the cone a_i y_k⟨w_i, x_k⟩ > 0, then "
        "sgn f(z; t → ∞) = sgn Σ_k λ_k y_k⟨x_k, z⟩: inside the cone the problem is convex. "
        "Near-orthogonality is measured beside it.",
        source=OURS,
        stages=STAGES,
        domain=DOMAIN,
        hypotheses={
            "KKT certificate": of_closed_form("KKT certificate"),
            "cone never left": of_training("cone never left"),
        },
        measured={
            "near-orthogonality": of_closed_form("near-orthogonality"),
            "global certificate": of_closed_form("global certificate"),
            "cone reached": of_training("cone reached"),
        },
        claim=Deterministic(conclusion=_agreement),
        config=TrainedSetting(data="uniform", n=20, d=2000),
        draws={"quick": 20, "full": 200},
        data=True,
        on_data={"digits": OnData()},
    ),
    Statement(
        id="orthogonal.multiplier-range",
        title="all multipliers lie in (1/(2R_max²), 3/(2γ²R_min²))",
        says="Near-orthogonality implies 1/(2R_max²) < λ_k < 3/(2γ²R_min²) for every k. "
        "Margin: the smaller of λ_k·2R_max² − 1 and 1 − λ_k·2γ²R_min²/3.",
        source=SOURCE,
        stages=UNTRAINED,
        domain=DOMAIN,
        hypotheses={"near-orthogonality": of_closed_form("near-orthogonality")},
        measured={"KKT certificate": of_closed_form("KKT certificate")},
        claim=Deterministic(
            conclusion=_within(lambda s: max_margin.multiplier_range(s.x, s.slope))
        ),
        config=DataSetting(load=0.99),
        draws={"quick": 500, "full": 10_000},
        data=True,
        on_data={"digits": OnData()},
        batch=64,
    ),
    Statement(
        id="orthogonal.multiplier-range-sharp",
        title="a sharper range of the multipliers",
        says="Near-orthogonality implies (1+γ²)R_min²λ_max ≤ 2/(1−γ³/3) and "
        "(1+γ²)R_max²λ_k ≥ 2 − (2γ³/3)/(1−γ³/3). Sharper than Lemmas 17 and 18 of Frei, Vardi, "
        "Bartlett and Srebro (2023b): (1/R_max²)(1 − 1/(γpR² − 1)) ≤ λ_k ≤ "
        "1/(R_min²γ(γ − 1/(pR²))), R² = R_max²/R_min², p ≥ 3γ⁻³ being near-orthogonality. "
        "Margin: as for orthogonal.multiplier-range.",
        source=SHARPER,
        stages=UNTRAINED,
        domain=DOMAIN,
        hypotheses={"near-orthogonality": of_closed_form("near-orthogonality")},
        measured={"KKT certificate": of_closed_form("KKT certificate")},
        claim=Deterministic(
            conclusion=_within(lambda s: max_margin.sharp_multiplier_range(s.x, s.slope))
        ),
        config=DataSetting(load=0.99),
        draws={"quick": 500, "full": 10_000},
        data=True,
        batch=64,
    ),
)
