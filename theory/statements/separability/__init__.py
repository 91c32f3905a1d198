"""Family A, Z23: adversarial noises of random two-layer ReLU networks are linearly separable."""

from theory.statements.separability import (
    adversarial,
    generalization,
    initialization,
    large_step,
    movement,
    rates,
    tails,
    terms,
    trained,
)

STATEMENTS = (
    *initialization.STATEMENTS,
    *rates.STATEMENTS,
    *tails.STATEMENTS,
    *adversarial.STATEMENTS,
    *large_step.STATEMENTS,
    *trained.STATEMENTS,
    *terms.STATEMENTS,
    *movement.STATEMENTS,
    *generalization.STATEMENTS,
)
