"""Family D, J18, L19, N20: networks of finite width against their infinite-width limit."""

from theory.statements.ntk import (
    dynamics,
    initialization,
    kernel,
    linearization,
    mean_correction,
)

STATEMENTS = (
    initialization.STATEMENTS
    + kernel.STATEMENTS
    + dynamics.STATEMENTS
    + linearization.STATEMENTS
    + mean_correction.STATEMENTS
)
