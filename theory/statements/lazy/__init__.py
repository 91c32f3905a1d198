"""Family C, K24b: wide two-layer networks with frozen readout, lazy training and perturbations."""

from theory.statements.lazy import dynamics, matching, movement, perturbation, published

STATEMENTS = (
    movement.STATEMENTS
    + dynamics.STATEMENTS
    + perturbation.STATEMENTS
    + matching.STATEMENTS
    + published.STATEMENTS
)
