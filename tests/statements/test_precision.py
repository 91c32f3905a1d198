"""float32 and float64 lead to the same verdicts, wherever neither is undecided."""

import jax
import pytest
from statement_checks import draws_of_files

from theory import REGISTRY, verify

DRAWS = {id: draws for tested in draws_of_files().values() for id, draws in tested.items()}


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
