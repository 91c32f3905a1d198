"""float32 and float64 lead to the same verdicts, wherever neither is undecided."""

import pathlib
import runpy

import jax
import pytest

from theory import REGISTRY, verify

DRAWS: dict[str, int] = {}
for path in pathlib.Path(__file__).parent.glob("test_*.py"):
    if path.name not in ("test_registry.py", "test_precision.py"):
        DRAWS |= runpy.run_path(str(path))["DRAWS"]


@pytest.mark.slow
@pytest.mark.parametrize("id", list(REGISTRY))
def test_single_precision_reaches_the_same_verdict(id):
    """Seeds are fixed; a key gives other random bits in float32, so draws are others too."""
    double = verify(REGISTRY[id], key=jax.random.key(11), draws=DRAWS[id], level=1e-3)
    with jax.enable_x64(False):
        single = verify(REGISTRY[id], key=jax.random.key(11), draws=DRAWS[id], level=1e-3)
    assert single.verdict in (double.verdict, "inconclusive"), f"{double}\n{single}"
    if single.verdict == "inconclusive" != double.verdict:
        why = ("numerical error", "undecided", "too wide")  # its draws may just miss a resolution
        assert any(word in single.reason for word in why), str(single)
