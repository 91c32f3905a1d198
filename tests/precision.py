"""What the command sets in JAX for its whole process, put back afterwards."""

import contextlib
from collections.abc import Iterator

import jax

NAMES = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_random_seed_offset",
)


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Precision and generator are afterwards what they were."""
    before = {name: getattr(jax.config, name) for name in NAMES}
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
