"""Strict settings for every test: float64, no silent rank or dtype promotion, shapes checked."""

import gc
import importlib.metadata
import os
import re

# What compiles fastest, as in `theory.compilation`; children of the tests inherit it
# too. A flag that XLA does not know ends the process, and the second is gone from later releases.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    " --xla_cpu_parallel_codegen_split_count=1"
    if importlib.metadata.version("jaxlib").startswith("0.10.")
    else "--xla_backend_optimization_level=0",
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# SciPy's threads wait for one another by spinning, an eighth of all processor time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.pop("COLUMNS", None)  # which pytest-xdist sets for its workers, and commands heed
os.environ["WIDETHEORY_CACHE"] = "off"  # for the commands that tests run; see below

import jax
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
# No compilation cache on disk: processes that share one read what others have written in part, and
# storing a program has crashed the process. Who repeats a test sets JAX_COMPILATION_CACHE_DIR.

# Every array annotation in theory/ is checked at every call, from here on.
hook = install_import_hook("theory", "typechecking.checked")

gc.set_threshold(50_000, 20, 50)  # traces are millions of objects, and hardly any of them garbage

# Compilation makes the first example slow, so no deadline; the same examples in every run.
settings.register_profile("widetheory", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("widetheory")


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items):
    """Tests of a statement whose evidence takes long are slow ones."""
    from statement_checks import SLOW

    for item in items:
        if "callspec" in dir(item) and item.callspec.params.get("id") in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist nobody asks
def pytest_xdist_make_scheduler(config, log):
    """Files stay in one process, and with them what test_neighbours.py says of their evidence.

    A test of it is named `test_neighbours.py::test_…[FILE-ID]`.
    """
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByEvidence(LoadFileScheduling):
        def _split_scope(self, nodeid):
            path, _, test = nodeid.partition("::")
            family = re.search(r"\[(test_\w+)-", test)
            if family and path.endswith("test_neighbours.py"):
                path = path.replace("test_neighbours", family[1])
            return path

    return ByEvidence(config, log)


AREAS = 10_000  # of memory: 3 GB of a process, which may have 65530


def areas_of_memory() -> int:
    """How many this process has; where the system does not say, too many."""
    try:
        with open("/proc/self/maps", "rb") as maps:
            return sum(1 for _ in maps)
    except OSError:
        return AREAS + 1


@pytest.fixture(scope="module", autouse=True)
def forget_compiled_programs():
    """After files that leave many: each program takes several areas of memory.

    The compiler crashes at the first one too many. What is kept is not compiled again for the next
    file, which needs the same small ones: a transposition, a sum.
    """
    yield
    if areas_of_memory() > AREAS:
        jax.clear_caches()


@pytest.fixture
def restore_precision():
    """For tests of the command, which sets JAX's precision and generator for its process."""
    from precision import restored

    with restored():
        yield


@pytest.fixture
def key() -> jax.Array:
    """A fixed random key."""
    return jax.random.key(20240307)
