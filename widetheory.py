"""widetheory: theorems about wide neural networks, checked numerically.

One name that no other repository has. `import widetheory` gives the public names of `theory`
(`widetheory.verify`, `widetheory.Statement`, …), and from then on `import theory` and
`import experiments` mean the packages beside this file, whatever else the path holds: repositories
about experiments have directories of these names.
"""

import importlib
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

# What else is imported here delays the moment from which the command ends in one line: see `entry`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from theory import *  # noqa: F403

HOME = os.path.dirname(os.path.realpath(__file__))
OURS = ("theory", "experiments")
# Public names of what reads files, which `theory` does not.
FROM_FILES = {
    "load_draws": "experiments.results.draws",
    "load_verdicts": "experiments.results.records",
    "replay": "experiments.certificates.replay",
}


class Finder:
    """Finds our packages before any path is looked at."""

    @staticmethod
    def find_spec(
        name: str, path: "Sequence[str] | None" = None, target: "Any" = None
    ) -> ModuleSpec | None:
        """The specification of one of our packages, None for everything else."""
        return PathFinder.find_spec(name, [HOME]) if name in OURS else None


def _check_none_is_foreign() -> None:
    for name in OURS:
        spec: ModuleSpec | None = getattr(sys.modules.get(name), "__spec__", None)
        places = [] if spec is None else list(spec.submodule_search_locations or [spec.origin])
        if places and os.path.realpath(str(places[0])) != os.path.join(HOME, name):
            raise ImportError(
                f"widetheory needs its own package {name!r}, but {places[0]} is imported under "
                "this name already; import widetheory first, and call it by another name"
            )


_check_none_is_foreign()
if Finder not in sys.meta_path:
    sys.meta_path.insert(0, Finder)  # pyright: ignore[reportArgumentType]


def __getattr__(name: str) -> "Any":
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(importlib.import_module(FROM_FILES.get(name, "theory")), name)


def __dir__() -> list[str]:
    names = [name for name in dir(importlib.import_module("theory")) if not name.startswith("_")]
    return sorted([*names, *FROM_FILES])


def entry() -> "NoReturn":
    """The command `widetheory` as a process of its own."""
    # What `signal` imports takes longer than all that comes before.
    import _signal as signal  # pyright: ignore[reportMissingImports]

    # Signals wait for somebody who answers them.
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    )
    from experiments.machine import drawing_library, interrupts, streams

    streams.prepare()
    drawing_library.prepare()
    interrupts.watch()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    from experiments.command.main import main

    interrupts.leave(main())


if __name__ == "__main__":
    entry()
