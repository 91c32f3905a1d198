"""Whether data fit in memory, before they are read."""

from experiments.files.reading import Malformed
from experiments.machine import environment

COPIES = 4  # in 64 bits, of data while they are loaded and used (docs/how-to/data.md)


def check_fits(entries: int) -> None:
    """Malformed unless there is memory for as many numbers in 64 bits, and for using them."""
    available = environment.host_memory()
    needed = 8 * COPIES * entries
    if needed > available:
        raise Malformed(
            f"{entries:,} numbers take {needed / 2**30:,.1f} GiB to use, {available / 2**30:,.1f} "
            "GiB are available"
        )
