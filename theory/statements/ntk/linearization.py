"""Family D, L19: wide networks train as their linearization does, and hardly move."""

import jax.numpy as jnp
from jaxtyping import Array

from theory._scaling import maximum
from theory.infinite_width import function_space, kernels
from theory.margins import rounding_error
from theory.networks.network import apply
from theory.statements.ntk.widths import (
    STABLE,
    TOLERANCE,
    Rates,
    Seen,
    TrainedNetwork,
    TrainingSetting,
    Variant,
    path_rounding,
    rates,
    roundings,
    variants,
)
from theory.verification.claims import Claim
from theory.verification.kinds import Rate
from theory.verification.statement import Statement

SOURCE = "Lee et al. 2019, Theorem 2.1"


def _linearization_error(trained: TrainedNetwork) -> Seen:
    """max over steps and test points of |f_m − f_lin|.

    Under gradient descent on its parameters the linearized network follows gradient descent in
    function space with the kernel Θ_m of the initial weights, step for step.
    """
    network, start = trained.variant.network, trained.start
    linearized = function_space.function_space_descent(
        kernels.finite_ntk(network, start, trained.x, trained.x, trained.readout_scale),
        kernels.finite_ntk(network, start, trained.z, trained.x, trained.readout_scale),
        trained.y,
        trained.descent,
        apply(network, start, trained.x),
        apply(network, start, trained.z),
    )
    apart = maximum(jnp.abs(trained.path - linearized.test))
    return Seen(apart[None], path_rounding(trained)[None])


def _layers(variant: Variant) -> dict[str, tuple[str, ...]]:
    """The layers that are trained, by name, and their weights."""
    readout = {"readout": ("a",)} if "a" in variant.network.trained else {}
    return {"hidden layer": ("w", "b")} | readout


def _movement(trained: TrainedNetwork) -> Seen:
    """(layers,) ‖θ(T) − θ(0)‖/‖θ(0)‖ of each layer that is trained."""
    start, end = trained.start._asdict(), trained.end._asdict()

    def relative(names: tuple[str, ...]) -> tuple[Array, Array]:
        moved = sum(jnp.sum((end[name] - start[name]) ** 2) for name in names)
        before = sum(jnp.sum(start[name] ** 2) for name in names)
        after = sum(jnp.sum(end[name] ** 2) for name in names)
        share = jnp.sqrt(moved / before)
        # Every step rounds each weight, and the sums behind what it adds.
        size = 1 + jnp.sqrt(after / before) + share
        return share, rounding_error(roundings(trained), size)

    shares, errors = zip(*map(relative, _layers(trained.variant).values()), strict=True)
    return Seen(jnp.stack(shares), jnp.stack(errors))


STATEMENTS = (
    Statement[TrainingSetting, Rates](
        id="ntk.linearization",
        title="a wide network trains as its linearization does, up to m^(−1/2)",
        says="sup over t ≤ T and test points of |f_m(z; t) − f_lin(z; t)| = O(m^{−1/2}), f_lin the "
        "network linearized in its initial weights and trained by the same steps: gradient descent "
        "in function space with the kernel Θ_m. One-sided: where kinks are crossed by chance the "
        "difference fluctuates like m^{−3/4} around a mean of the order m^{−1/2}, and exponents in "
        "between show.",
        source=SOURCE,
        sample=rates(_linearization_error),
        hypotheses=STABLE,
        claim=Rate(
            quantity=lambda instance, _: instance.found,
            claims=lambda config: tuple(
                Claim(-0.5, 0.15, side="at most", name=f"exponent ({v.name})", tolerance=TOLERANCE)
                for v in variants(config)
            ),
            scales=lambda config: config.scales,
        ),
        config=TrainingSetting(data="sphere"),
        draws={"quick": 480, "full": 4000},
        data=True,
    ),
    Statement[TrainingSetting, Rates](
        id="ntk.parameter-movement",
        title="the weights move by m^(−1/2) of their size",
        says="‖θ(T) − θ(0)‖/‖θ(0)‖ = Θ(m^{−1/2}) for the hidden layer, and where it is trained, at "
        "1/m of the learning rate, for the readout. Two-sided: the fitted exponents must be −1/2, "
        "within 0.05.",
        source=SOURCE,
        sample=rates(_movement),
        hypotheses=STABLE,
        claim=Rate(
            quantity=lambda instance, _: instance.found,
            claims=lambda config: tuple(
                Claim(-0.5, 0.1, name=f"exponent ({v.name}, {layer})", tolerance=TOLERANCE)
                for v in variants(config)
                for layer in _layers(v)
            ),
            scales=lambda config: config.scales,
        ),
        config=TrainingSetting(data="sphere"),
        draws={"quick": 128, "full": 1000},
        data=True,
    ),
)
