"""The boundary where not every sample is a support vector: a quadratic program on the host."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from theory.certificates import max_margin
from theory.certificates.max_margin import Solved, solve
from theory.data.sampling import draw
from theory.statements.orthogonal.certificates import hypothesis
from theory.statements.orthogonal.setting import (
    OURS,
    Trained,
    TrainedSetting,
    agreement,
    sample_trained,
)
from theory.verification.kinds import Deterministic
from theory.verification.statement import Statement


class Proposed(NamedTuple):
    """A trained instance and the support vectors that the solver proposes for it, (n,)."""

    trained: Trained
    active: Bool[Array, " n"]


def _sample(key: Array, config: TrainedSetting) -> Proposed:
    key_data, key_training = jax.random.split(key)
    x, y, _, _ = draw(key_data, config.data, config.n, config.d, queries=0, p_max=config.p_max)
    solved = solve(x, y, config.slope)
    return Proposed(sample_trained(key_training, solved, config), jnp.ones(len(x), bool))


def _propose(instance: Proposed) -> Proposed:
    """The host stage. Nothing of what it returns is believed: see `kkt_margins`."""
    solved = instance.trained.solved
    active = max_margin.support_vectors(
        np.asarray(solved.x), np.asarray(solved.y), float(solved.slope)
    )
    return instance._replace(active=active)


def _trained(instance: Proposed) -> Trained:
    every = instance.trained.solved
    found = solve(every.x, every.y, every.slope, instance.active)
    return instance.trained._replace(solved=found)


def _solved(instance: Proposed) -> Solved:
    return _trained(instance).solved


STATEMENTS: tuple[Statement, ...] = (
    Statement(
        id="orthogonal.decision-boundary-quadratic",
        title="the boundary where the closed form has negative multipliers",
        says="Let λ solve the quadratic program λ ≥ 0, (Hλ)_k ≥ 2 with equality where λ_k > 0. If "
        "y_k⟨u₊, x_k⟩ > 0 > y_k⟨u₋, x_k⟩ for all k and gradient flow provably never leaves the "
        "cone, then sgn f(z; t → ∞) = sgn Σ_k λ_k y_k⟨x_k, z⟩. The support vectors come from a "
        "solver on the host and are certified afterwards. Measured: whether the closed form "
        "H⁻¹(2·1), with all samples as support vectors, would have done.",
        source=OURS,
        sample=_sample,
        solve=_propose,
        hypotheses={
            "KKT certificate": hypothesis("KKT certificate", _solved),
            "cone never left": hypothesis("cone never left", _trained),
        },
        measured={
            "closed form λ > 0": hypothesis("closed form λ > 0", lambda i: i.trained.solved),
            "cone reached": hypothesis("cone reached", _trained),
        },
        claim=Deterministic(
            conclusion=lambda instance, config: agreement(_trained(instance), config)
        ),
        config=TrainedSetting(data="shifted-gaussian", n=16, d=100, steps=4000, tie=0.25),
        draws={"quick": 20, "full": 200},
        data=True,
    ),
)
