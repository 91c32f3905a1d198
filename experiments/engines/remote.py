"""What a Dask worker does. The scheduler imports this too: nothing here that takes JAX."""

import functools
import pickle
import threading
from collections.abc import Callable
from typing import Any

# Two computations at once in one process have been seen to block each other on JAX's thread pool.
_alone = threading.Lock()


def kept(work: bytes) -> bytes:
    """The work as it is: a task of its own, so that it is sent to each worker once."""
    return work


def run(call: bytes, work: bytes) -> bytes:
    """What the work's function returns for a call, or a `faults.Explained`; all of it pickled."""
    from experiments.machine import faults

    with _alone:
        try:
            answer = _begun(work)(*pickle.loads(call))
        except BaseException as error:  # SystemExit of the user's code would end the worker
            answer = faults.explained(error)
        return pickle.dumps(answer)


@functools.lru_cache(maxsize=1)  # one, as precision is the process's: other work sets it anew
def _begun(work: bytes) -> Callable[..., Any]:
    import distributed
    import jax

    from experiments.machine import environment

    jax.clear_caches()  # of work before
    manager = getattr(distributed.get_worker(), "memory_manager", None)
    environment.limit_memory(getattr(manager, "memory_limit", None))
    return pickle.loads(work).begin()
