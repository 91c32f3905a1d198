"""Family A, Z23: adversarial noises of random two-layer ReLU networks are linearly separable."""

from theory.statements.separability import initialization, rates, tails

STATEMENTS = (*initialization.STATEMENTS, *rates.STATEMENTS, *tails.STATEMENTS)
