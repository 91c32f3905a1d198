"""What is needed to repeat a run: versions, devices, precision."""

import contextlib
import gc
import importlib.metadata
import itertools
import logging
import math
import os
import pathlib
import platform
import resource
import stat
from collections.abc import Iterator
from typing import Any

import jax

from theory.keys import GENERATOR

# The rest is for what no estimate knows: solvers on the host, and other processes.
SHARE_OF_MEMORY = 0.8
# Options of JAX that variables of these names set, for debugging: they change results, or end the
# command in the middle of NaNs that margins have on purpose. They are as JAX has them by default.
OWN = {
    "jax_check_tracer_leaks": False,
    "jax_debug_infs": False,
    "jax_debug_key_reuse": False,
    "jax_debug_nans": False,
    "jax_disable_jit": False,
    "jax_enable_checks": False,
    "jax_error_checking_behavior_divide": "ignore",
    "jax_error_checking_behavior_nan": "ignore",
    "jax_error_checking_behavior_oob": "ignore",
    "jax_no_execution": False,
    "jax_no_tracing": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    "jax_transfer_guard": "allow",
    "jax_transfer_guard_device_to_device": "allow",
    "jax_transfer_guard_device_to_host": "allow",
    "jax_transfer_guard_host_to_device": "allow",
}
_granted: list[int] = []  # none, or one: bytes that who started this process lets it take
PACKAGES = ("widetheory", "jax", "jaxlib", "optax", "neural-tangents", "numpy", "scipy")


def configure(precision: str) -> None:
    """Sets the process's generator and precision: "float64", "float32" or "tf32"; collects less.

    Matrix products keep it on every device: GPUs and TPUs would round to TF32 or bfloat16. "tf32"
    is float32 with products in TF32 where the device has it, ten bits; error bounds of margins do
    not count on that, so it is for training and not for verdicts.
    """
    jax.config.update("jax_enable_x64", precision == "float64")
    # The generator is part of every result, see `theory.keys`; the environment may not choose it.
    jax.config.update("jax_default_prng_impl", GENERATOR)
    jax.config.update("jax_threefry_partitionable", True)
    jax.config.update("jax_random_seed_offset", 0)
    products = "tensorfloat32" if precision == "tf32" else "highest"
    jax.config.update("jax_default_matmul_precision", products)
    for name, value in OWN.items():
        if name.upper() in os.environ and hasattr(jax.config, name):
            jax.config.update(name, value)
    # It writes a traceback of what a callback raises, for which the command has one line.
    logging.getLogger("jax._src.callback").disabled = True
    _check_cache()
    from experiments.machine import compiled_programs  # here, as it is no part of any result

    compiled_programs.use()
    # Traces are millions of objects and hardly any of them garbage: looking for it took 9 % of the
    # time of nine statements, one after the other.
    gc.set_threshold(50_000, 20, 50)


def _check_cache() -> None:
    """ValueError if others may write what this process takes compiled programs from, and runs."""
    directory = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if directory and os.path.isdir(directory) and os.stat(directory).st_mode & stat.S_IWOTH:
        raise ValueError(
            f"JAX_COMPILATION_CACHE_DIR must not be writable by everybody, as programs in it are "
            f"run; {directory} is"
        )


def precision() -> str:
    """The floating-point type that JAX computes in: "float64" or "float32"."""
    return "float64" if jax.config.jax_enable_x64 else "float32"  # pyright: ignore


def configured() -> str:
    """What `configure` was given, as far as it can be told: "float64", "float32" or "tf32"."""
    products = jax.config.jax_default_matmul_precision  # pyright: ignore
    return "tf32" if products == "tensorfloat32" else precision()


def largest_integer() -> int:
    """The largest integer that arrays hold in that precision."""
    return 2**63 - 1 if precision() == "float64" else 2**31 - 1


def generator() -> str:
    """The random generator whose numbers keys of this process give."""
    name = jax.config.jax_default_prng_impl  # pyright: ignore
    form = "" if jax.config.jax_threefry_partitionable else "not "  # pyright: ignore
    return f"{name}, {form}partitionable"


def describe() -> dict[str, Any]:
    """Versions, devices and precision, ready for JSON."""
    devices = jax.devices()
    return {
        "versions": {"python": platform.python_version()}
        | {package: _version(package) for package in PACKAGES},
        "platform": platform.platform(),
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in devices],
        "processes": jax.process_count(),
        "precision": precision(),
        "generator": generator(),
        "matmul_precision": jax.config.jax_default_matmul_precision,  # pyright: ignore
    }


def line() -> str:
    """The same in one line."""
    facts = describe()
    versions = facts["versions"]
    devices = f"{len(facts['devices'])} × {facts['devices'][0]}"
    if facts["processes"] > 1:
        devices += f" in {facts['processes']} processes"
    return (
        f"widetheory {versions['widetheory']}, jax {versions['jax']}, "
        f"neural-tangents {versions['neural-tangents']}, Python {versions['python']}; "
        f"{devices} ({facts['backend']}), {facts['precision']}"
    )


def usable_memory() -> float:
    """`SHARE_OF_MEMORY` of the `available_memory`. ValueError where nothing tells."""
    return SHARE_OF_MEMORY * available_memory()


def known_memory(processes: int = 1) -> int | None:
    """The share of each of so many processes in the usable memory, None where nothing tells."""
    try:
        return int(usable_memory() / processes)
    except ValueError:
        return None


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """What no estimate foresaw fails where it allocates, rather than have the system end us.

    On a CPU, whose memory is the machine's, and where the system tells how much there is.
    """
    before = resource.getrlimit(resource.RLIMIT_DATA)
    used = _used_memory().get("VmData")
    if jax.default_backend() != "cpu" or used is None or before[0] != resource.RLIM_INFINITY:
        yield
        return
    resource.setrlimit(resource.RLIMIT_DATA, (used + available_memory(), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def available_memory() -> int:
    """Bytes that computations may still take: of the device's own memory, else of the machine's.

    On the machine: what the system calls available, and no more than the process's control group
    (a container, a batch job) and its own limits (`ulimit -v`, `-d`) leave.

    Raises:
      ValueError: where neither device nor system tell.
    """
    known = jax.devices()[0].memory_stats()
    if known and "bytes_limit" in known:
        return known["bytes_limit"] - known.get("bytes_in_use", 0)
    if (found := host_memory()) == math.inf:
        raise ValueError("--memory must be given: the system does not tell how much is available")
    return max(0, int(found))


def host_memory() -> float:
    """Bytes of the machine's own memory that are available; ∞ where nothing tells."""
    known = (_machine_memory(), _group_memory(), _limited_memory(), _granted_memory())
    return min(itertools.chain(*known), default=math.inf)


def limit_memory(most: int | None) -> None:
    """Has this process take so many bytes in all, by its own account; None for no such limit."""
    _granted[:] = [] if most is None else [most]


def _granted_memory() -> Iterator[int]:
    """What that limit leaves."""
    used = _used_memory().get("VmRSS", 0)
    yield from (most - used for most in _granted)


def _machine_memory() -> Iterator[int]:
    meminfo = pathlib.Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
        yield int(fields["MemAvailable"].split()[0]) * 1024
    elif "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _group_memory(
    root: pathlib.Path = pathlib.Path("/sys/fs/cgroup"),
    own: pathlib.Path = pathlib.Path("/proc/self/cgroup"),
) -> Iterator[int]:
    """What each control group around this process leaves, file caches not counted as used."""
    for line in own.read_text().splitlines() if own.exists() else ():
        _, controllers, name = line.split(":", 2)
        if controllers == "":  # version 2
            top, names = root, ("memory.max", "memory.current", "inactive_file")
        elif controllers == "memory":
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            top = root / "memory"
        else:
            continue
        inner = top / name.strip("/")
        for group in (inner, *inner.parents):
            if not group.is_relative_to(top):
                break
            limit, used = group / names[0], group / names[1]
            if limit.exists() and used.exists() and (most := limit.read_text().strip()) != "max":
                stat = (group / "memory.stat").read_text().splitlines()
                cached = dict(entry.split() for entry in stat)[names[2]]
                yield int(most) - int(used.read_text()) + int(cached)


def _used_memory(status: pathlib.Path = pathlib.Path("/proc/self/status")) -> dict[str, int]:
    """Name in the system's account of this process → bytes; nothing where there is no such file."""
    if not status.exists():
        return {}
    lines = (line.split(":") for line in status.read_text().splitlines())
    return {name: int(value.split()[0]) * 1024 for name, value in lines if value.endswith(" kB")}


def _limited_memory() -> Iterator[int]:
    """What the process's limits on its addresses and its data leave."""
    used = _used_memory()
    for limit, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        most, _ = resource.getrlimit(limit)
        if most != resource.RLIM_INFINITY and name in used:
            yield most - used[name]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
