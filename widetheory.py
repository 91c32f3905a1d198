"""widetheory: theorems about wide neural networks, checked numerically.

One name that no other repository has. `import widetheory` gives the public names of `theory`
(`widetheory.verify`, `widetheory.Statement`, …), and from then on `import theory` and
`import experiments` mean the packages beside this file, whatever else the path holds: repositories
about experiments have directories of these names.
"""

import importlib
import importlib.util
import pathlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from theory import *  # noqa: F403

HOME = pathlib.Path(__file__).resolve().parent
OURS = ("theory", "experiments")
# Public names of what reads files, which `theory` does not.
FROM_FILES = {
    "load_verdicts": "experiments.results.records",
    "replay": "experiments.certificates.replay",
}


class Finder:
    """Finds our packages before any path is looked at."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        """The specification of one of our packages, None for everything else."""
        if name not in OURS:
            return None
        package = HOME / name
        return importlib.util.spec_from_file_location(
            name, package / "__init__.py", submodule_search_locations=[str(package)]
        )


def _check_none_is_foreign() -> None:
    for name in OURS:
        spec: ModuleSpec | None = getattr(sys.modules.get(name), "__spec__", None)
        places = [] if spec is None else list(spec.submodule_search_locations or [spec.origin])
        if places and pathlib.Path(str(places[0])).resolve() != HOME / name:
            raise ImportError(
                f"widetheory needs its own package {name!r}, but {places[0]} is imported under "
                "this name already; import widetheory first, and call it by another name"
            )


_check_none_is_foreign()
if Finder not in sys.meta_path:
    sys.meta_path.insert(0, Finder)  # pyright: ignore[reportArgumentType]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(importlib.import_module(FROM_FILES.get(name, "theory")), name)


def __dir__() -> list[str]:
    names = [name for name in dir(importlib.import_module("theory")) if not name.startswith("_")]
    return sorted([*names, *FROM_FILES])


def entry() -> NoReturn:
    """The command `widetheory` as a process of its own."""
    from experiments.command.main import entry as command

    command()


if __name__ == "__main__":
    entry()
