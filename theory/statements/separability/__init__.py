"""Family A, Z23: adversarial noises of random two-layer ReLU networks are linearly separable."""

from theory.statements.separability import (
    generalization,
    initialization,
    movement,
    terms,
    trained,
)

STATEMENTS = (
    *initialization.STATEMENTS,
    *trained.STATEMENTS,
    *terms.STATEMENTS,
    *movement.STATEMENTS,
    *generalization.STATEMENTS,
)
