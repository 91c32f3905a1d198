"""The engine that a command asks for."""

from experiments.engines import cluster
from experiments.engines.local import Local
from experiments.engines.work import Engine
from theory._validation import check_integer

ENGINES = ("local", "dask")


def chosen(
    name: str, scheduler: str | None, jobs: int | None, memory: float | None = None
) -> Engine | None:
    """The engine of these options, None for this process alone.

    Args:
      name: "local" or "dask".
      scheduler: where Dask's is.
      jobs: processes of this machine, for "local".
      memory: bytes that a task takes, if given.

    Raises:
      ValueError: for options that do not go together, or where Dask is not installed.
    """
    if name == "dask":
        if not scheduler:
            raise ValueError("--engine dask needs --scheduler, an address or a scheduler's file")
        if jobs is not None:
            raise ValueError("--jobs must be left out with --engine dask: its workers are asked")
        cluster.check_installed()
        return cluster.Dask(scheduler, memory)
    if scheduler is not None:
        raise ValueError("--scheduler must be left out with --engine local; add --engine dask")
    count = 1 if jobs is None else check_integer("--jobs", jobs)
    return Local(count) if count > 1 else None
