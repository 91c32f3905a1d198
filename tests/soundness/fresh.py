"""What a process without any of JAX's flags says, as JSON: for tests that run it as a program."""

import json

import jax
import jax.numpy as jnp
from soundness.planted import const, false, normals, true, uniform

from theory import Claim, exceeds, verify

PLANTED = (
    true(
        "slack-of-one-billionth",
        "1 + 10⁻⁹(1 + u) > 1 is decided in float64, and only there",
        sample=uniform,
        conclusion=lambda u, _: exceeds(1 + 1e-9 * (1 + u), 1.0),
    ),
    false(
        "slack-of-one-billionth-missing",
        "1 − 10⁻⁹(1 + u) > 1 is false by as little",
        sample=uniform,
        conclusion=lambda u, _: exceeds(1 - 1e-9 * (1 + u), 1.0),
    ),
    true(
        "sum-of-small-terms",
        "10⁵ terms of 10⁻⁸ add up to .001: in float32 beside 1 they vanish",
        sample=uniform,
        conclusion=lambda u, _: exceeds(
            jax.lax.fori_loop(0, 100_000, lambda i, s: s + 1e-8 * (1 + u), jnp.ones_like(u)), 1.0009
        ),
        draws=14,
    ),
    true(
        "mean-of-small-differences",
        "E[(1 + 10⁻⁹x²) − 1] = 10⁻⁹",
        kind="moment",
        sample=normals(8),
        quantity=lambda x, _: (1 + 1e-9 * jnp.mean(x**2)) - 1,
        claims=lambda config: Claim(1e-9, 0.2),
        draws=1000,
    ),
    false(
        "rare-and-small",
        "a quarter of the draws fail, by 10⁻¹⁰",
        kind="probabilistic",
        sample=uniform,
        conclusion=lambda u, _: exceeds(1 + 1e-10 * jnp.where(u < 0.25, -1.0, 1.0), 1.0),
        failure_probability=const(0.01),
        draws=300,
    ),
)


def words(**options) -> dict[str, str]:
    """Name of each planted statement → verdict."""
    return {
        planted.name: verify(
            planted.statement,
            key=jax.random.key(1),
            draws=planted.draws,
            level=1e-3,
            **options,
        ).verdict
        for planted in PLANTED
    }


if __name__ == "__main__":
    import sys

    options = {"precision": sys.argv[1]} if len(sys.argv) > 1 else {}
    found = words(**options)
    print(json.dumps({"words": found, "float": str(jnp.zeros(()).dtype)}))
