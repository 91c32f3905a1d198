"""Statements that are cheap to sweep, of the kinds that a store must hold, and how to sweep them.

python3 -m sweep_toys sweep toy.tail …    the command, with these statements registered
"""

import dataclasses
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.command import main
from experiments.settings import references
from theory import (
    REGISTRY,
    Claim,
    Deterministic,
    Hypothesis,
    Parameters,
    Probabilistic,
    Rate,
    Statement,
    exceeds,
    margin,
    parameter,
)
from theory.statements import registry


class Setting(Parameters):
    m: int = parameter(4, "normals", low=1, unit="neurons")
    k: int = parameter(1, "how many of them are summed", low=1)
    shift: float = parameter(2.0, "the bound", unit="σ", low=-10, high=10)
    law: str = parameter("normal", "the law", choices=("normal", "uniform"))
    strict: bool = parameter(False, "whether equality is excluded")


def sample(key, config):
    if config.k > config.m:
        raise ValueError(f"k must be at most m = {config.m}, got {config.k}")
    draw = jax.random.normal if config.law == "normal" else jax.random.uniform
    return draw(key, (config.m,))[: config.k], config.shift


TAIL = Statement(
    id="toy.tail",
    sample=sample,
    hypotheses={"n/d ≥ 1.5": Hypothesis(lambda i, _: exceeds(20.0 + i[0][0], 1.0), "wide")},
    measured={"positive": lambda i, _: margin(i[0][0], unit="σ")},
    claim=Probabilistic(
        conclusion=lambda i, _: margin(i[1] - i[0].sum(), unit="σ"),
        failure_probability=lambda i, _: 0.5,
    ),
    constant=lambda i, _: jnp.abs(i[0][0]),
    config=Setting(),
    draws={"quick": 40},
)
REFUTED = dataclasses.replace(
    TAIL,
    id="toy.refuted",
    claim=Deterministic[Setting, Any](lambda i, _: margin(i[1] - i[0].sum(), unit="σ")),
    constant=None,
)
SCALES = 2.0 ** np.arange(5)
RATES = Statement(  # with a solver, claims and scales
    id="toy.rates",
    sample=lambda key, config: jax.random.normal(key, (config.m, len(SCALES))),
    solve=lambda x: np.sort(x, axis=0),
    claim=Rate(
        quantity=lambda x, _: jnp.stack(
            [jnp.asarray(SCALES**-power, x.dtype) * (2 + jnp.tanh(x[0])) for power in (0.5, 1.0)]
        ),
        claims=lambda config: (Claim(-0.5, 0.5, name="half"), Claim(-1.0, 0.5, name="one")),
        scales=lambda config: SCALES,
    ),
    config=Setting(),
    draws={"quick": 20},
)
TOYS = {statement.id: statement for statement in (TAIL, REFUTED, RATES)}


def install(setattr=setattr, toys=TOYS):
    """Registers these statements too; `setattr` may be that of a monkeypatch."""
    for module in (registry, references):
        setattr(module, "REGISTRY", {**REGISTRY, **toys})


if __name__ == "__main__":
    install()
    sys.exit(main.main(sys.argv[1:]))
