"""Which devices a command runs on, in one process or in several that work together."""

import argparse
import os
import re
import socket
import sys
import threading

import jax
from jax.sharding import Mesh

from experiments.machine import streams
from theory._validation import check_integer, check_real, shown
from theory.parallel import make_mesh

SHUTDOWN = 60  # seconds that a process waits for the others when it ends
DAY = 86_400
MOST_PROCESSES = 2**20  # more than any cluster has


def connect(arguments: argparse.Namespace) -> Mesh | None:
    """Joins the other processes, if there are any. To be called before any device is touched.

    From then on only process 0 prints results.

    Args:
      arguments: with the options of `command.common.add_devices`.

    Returns:
      All devices that take part, or None if that is one.

    Raises:
      ValueError: for options that are wrong or do not go together, if no cluster is found, or if
        the coordinator cannot listen. If the others do not come in time, the process ends with
        status 2 and one line.
    """
    timeout = check_real(
        "--connect-timeout", arguments.connect_timeout, low=0, high=DAY, open_low=True
    )
    where = _explicit(arguments.coordinator, arguments.processes, arguments.process)
    if where or arguments.distributed:
        if arguments.devices is not None:
            raise ValueError("--devices must be left out with several processes: they use all")
        _initialize(where, timeout)
        _only_process_0_prints()
    return local(arguments.devices)


def local(count: int | None) -> Mesh | None:
    """A mesh of the first devices, all if None; None if that is one.

    To be called before any device is touched.

    Raises:
      ValueError: if there are not so many.
    """
    _enough_threads()
    found = jax.devices()
    if count is not None:
        found = found[: check_integer("--devices", count, high=len(found))]
    return make_mesh(devices=found) if len(found) > 1 else None


def leads() -> bool:
    """Whether this process is the one that writes files and shows progress."""
    return jax.process_index() == 0


def jobs(asked: int | None, mesh: Mesh | None) -> int:
    """How many processes share the statements, as asked or by default.

    Raises:
      ValueError: if it is no positive integer, or several where several devices share the draws.
    """
    if asked is None:
        return default_jobs() if mesh is None else 1
    if check_integer("--jobs", asked) > 1 and mesh is not None:
        raise ValueError(f"--jobs must be 1 with {mesh.size} devices, got {asked}; add --devices 1")
    return asked


def _explicit(coordinator: str | None, processes: int | None, process: int | None) -> dict:
    """What `jax.distributed.initialize` takes; empty if nothing was given."""
    given = {"--coordinator": coordinator, "--processes": processes, "--process": process}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return {}
    if missing:
        raise ValueError(f"{', '.join(given)} must be given together, got no {missing[0]}")
    assert coordinator is not None
    assert processes is not None
    host, _, port = coordinator.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        raise ValueError(f"--coordinator must be HOST:PORT, got {shown(coordinator)}")
    check_integer("--processes", processes, high=MOST_PROCESSES)
    check_integer("--process", process, low=0, high=processes - 1)
    try:
        socket.getaddrinfo(host.strip("[]"), int(port))
    except OSError:
        raise ValueError(f"--coordinator must name a host that is known, got {host!r}") from None
    return {
        "coordinator_address": coordinator,
        "num_processes": processes,
        "process_id": process,
    }


def _enough_threads() -> None:
    """Keeps several CPU devices in one process from blocking each other for good.

    They run on the threads of one pool, as many as there are devices or cores. jaxlib's LAPACK
    shares a batch of matrices among threads of the same pool and waits for them, so once every
    device does, nobody is left to work. XLA takes the size of the pool from NPROC, if that is set.
    """
    flag = "xla_force_host_platform_device_count"
    forced = re.search(rf"{flag}=(\d+)", os.environ.get("XLA_FLAGS", ""))
    devices = int(forced[1]) if forced else jax.config.jax_num_cpu_devices  # pyright: ignore
    if devices > 1:
        os.environ.setdefault("NPROC", str((os.cpu_count() or 1) + 8 * devices))


def _initialize(where: dict, timeout: float) -> None:
    def give_up() -> None:  # JAX itself would abort with a stack trace
        streams.say(
            f"not all processes met at {where.get('coordinator_address', 'the host')} "
            f"within {timeout:g} s; are all of them started, with the same --coordinator?"
        )
        os._exit(2)

    watchdog = threading.Timer(timeout, give_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        jax.distributed.initialize(
            **where,
            initialization_timeout=int(timeout) + 60,
            shutdown_timeout_seconds=SHUTDOWN,
        )
    except ValueError as error:
        raise ValueError(
            "--distributed must be used under Slurm, Open MPI, Kubernetes or on a TPU pod, and "
            f"found none of them ({error}); give --coordinator, --processes and --process"
        ) from error
    except RuntimeError as error:
        reason = str(error).splitlines()[0]  # "Failed to start RPC server": the port is taken
        raise ValueError(f"the processes cannot be connected: {reason}") from error
    finally:
        watchdog.cancel()


def _only_process_0_prints() -> None:
    # Gloo, with which CPUs communicate, writes to descriptor 1; that is stderr from here on.
    sys.stdout.flush()
    results = os.dup(1) if leads() else os.open(os.devnull, os.O_WRONLY)
    os.dup2(2, 1)
    sys.stdout = streams.opened(results, sys.stdout.encoding)


def default_jobs() -> int:
    """Up to four processes on a CPU; an accelerator belongs to one."""
    return min(4, os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1
