"""Family A, Z23: adversarial noises of random two-layer ReLU networks are linearly separable."""

from theory.statements.separability import (
    adversarial,
    generalization,
    initialization,
    large_step,
    loss_level,
    many_samples,
    movement,
    rates,
    sparse,
    tails,
    terms,
    trained,
    wide_limit,
)

STATEMENTS = (
    *initialization.STATEMENTS,
    *rates.STATEMENTS,
    *tails.STATEMENTS,
    *adversarial.STATEMENTS,
    *large_step.STATEMENTS,
    *trained.STATEMENTS,
    *wide_limit.STATEMENTS,
    *many_samples.STATEMENTS,
    *terms.STATEMENTS,
    *sparse.STATEMENTS,
    *movement.STATEMENTS,
    *loss_level.STATEMENTS,
    *generalization.STATEMENTS,
)
