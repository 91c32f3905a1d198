"""The boundary where not every sample is a support vector: a quadratic program on the host."""

import numpy as np

from theory.certificates import max_margin
from theory.certificates.max_margin import Solved, solve
from theory.statements.orthogonal.boundary import DOMAIN, STAGES, of_closed_form, of_training
from theory.statements.orthogonal.certificates import hypothesis
from theory.statements.orthogonal.setting import OURS, Trained, TrainedSetting, agreement
from theory.verification.kinds import Deterministic
from theory.verification.stages import Staged
from theory.verification.statement import OnData, Statement


def _support_vectors(drawn: Staged) -> np.ndarray:
    """(n,) which samples the solver proposes. Nothing of it is believed: see `kkt_margins`."""
    every: Solved = drawn.closed_form
    x, y, slope = (np.asarray(part) for part in (every.x, every.y, every.slope))
    return max_margin.support_vectors(x, y, float(slope))


def _solved(instance: Staged) -> Solved:
    """The closed form with the proposed support vectors."""
    every: Solved = instance.closed_form
    return solve(every.x, every.y, every.slope, instance.solution)


def _trained(instance: Staged) -> Trained:
    return instance.training._replace(solved=_solved(instance))


STATEMENTS = (
    Statement[TrainedSetting, Staged](
        id="orthogonal.decision-boundary-quadratic",
        title="the boundary where the closed form has negative multipliers",
        says="Let λ solve the quadratic program λ ≥ 0, (Hλ)_k ≥ 2 with equality where λ_k > 0. If "
        "y_k⟨u₊, x_k⟩ > 0 > y_k⟨u₋, x_k⟩ for all k and gradient flow provably never leaves the "
        "cone, then sgn f(z; t → ∞) = sgn Σ_k λ_k y_k⟨x_k, z⟩. The support vectors come from a "
        "solver on the host and are certified afterwards. Measured: whether the closed form "
        "H⁻¹(2·1), with all samples as support vectors, would have done.",
        source=OURS,
        stages=STAGES,
        domain=DOMAIN,
        solve=_support_vectors,
        hypotheses={
            "KKT certificate": hypothesis("KKT certificate", _solved),
            "cone never left": hypothesis("cone never left", _trained),
        },
        measured={
            "closed form λ > 0": of_closed_form("closed form λ > 0"),
            "cone reached": of_training("cone reached"),
        },
        claim=Deterministic(
            conclusion=lambda instance, config: agreement(_trained(instance), config)
        ),
        config=TrainedSetting(data="shifted-gaussian", n=16, d=100, steps=4000, tie=0.25),
        draws={"quick": 20, "full": 200},
        data=True,
        on_data={"digits": OnData()},
    ),
)
