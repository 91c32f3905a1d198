"""Family A, Z23: adversarial noises of random two-layer ReLU networks are linearly separable."""

from theory.statements.separability import (
    adversarial,
    initialization,
    large_step,
    rates,
    tails,
)

STATEMENTS = (
    *initialization.STATEMENTS,
    *rates.STATEMENTS,
    *tails.STATEMENTS,
    *adversarial.STATEMENTS,
    *large_step.STATEMENTS,
)
