"""Instances drawn in stages, so that a condition sees no more than the stages it names."""

import keyword
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import jax

from theory._pytrees import Keyed
from theory._types import PyTree
from theory._validation import check_choice
from theory.verification.signatures import check_function, described

SOLUTION = "solution"  # the part of an instance that a solver on the host adds
Config = TypeVar("Config")


@jax.tree_util.register_pytree_with_keys_class
class Staged(Mapping[str, PyTree]):
    """What the stages of a draw made: name of the stage → pytree, also as attributes.

    As a pytree it has the parts as children, in their order.

    Args:
      parts: name of each stage → what it made, in their order.
    """

    def __init__(self, parts: Mapping[str, PyTree]) -> None:
        self._parts = dict(parts)

    def __getitem__(self, name: str) -> PyTree:
        return self._parts[name]

    def __getattr__(self, name: str) -> PyTree:
        if not name.startswith("_") and name in self._parts:
            return self._parts[name]
        known = ", ".join(self.__dict__.get("_parts", {})) or "none"
        raise AttributeError(f"there is no stage {name!r} here; there are {known}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        return f"Staged({self._parts!r})"

    def up_to(self, name: str) -> "Staged":
        """The parts of this stage and of those before it. ValueError if there is none."""
        names = list(self._parts)
        last = names.index(check_choice("stage", name, names))
        return Staged({one: self._parts[one] for one in names[: last + 1]})

    def tree_flatten_with_keys(self) -> tuple[list[Keyed], tuple[str, ...]]:
        """The children with their names, and all names."""
        keys = ((jax.tree_util.GetAttrKey(name), part) for name, part in self._parts.items())
        return list(keys), tuple(self._parts)

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], children: Iterable[PyTree]) -> "Staged":
        """From names and children."""
        return cls(dict(zip(names, children, strict=True)))


class InStages(Generic[Config]):
    """The sampler (key, config) → `Staged` of stages (key, earlier, config) → pytree.

    Stage i of n has the key `jax.random.split(key, n)[i]`; earlier: the `Staged` before it.

    Args:
      stages: name → stage, in the order in which they are drawn.
      count: how many of them are drawn, with the same keys; all if None.

    Raises:
      ValueError: for no stages, a name that is no attribute, or what is no such function.
    """

    def __init__(
        self,
        stages: Mapping[str, Callable[[jax.Array, Staged, Config], PyTree]],
        count: int | None = None,
    ) -> None:
        if not isinstance(stages, Mapping) or not stages:
            raise ValueError(
                f"stages must be a mapping from names to functions, got {described(stages)}"
            )
        for name, stage in stages.items():
            text = isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)
            if not text or name.startswith("_") or hasattr(Staged, name):
                raise ValueError(f"name of a stage must be usable as an attribute, got {name!r}")
            check_function(f"stages[{name!r}]", stage, "key", "earlier", "config")
        self.stages, self.count = dict(stages), count

    def __call__(self, key: jax.Array, config: Config) -> Staged:
        """One draw, stage by stage."""
        keys, drawn = jax.random.split(key, len(self.stages)), Staged({})
        drawing = list(self.stages.items())[: self.count]
        for own, (name, stage) in zip(keys, drawing, strict=False):
            drawn = Staged({**drawn, name: stage(own, drawn, config)})
        return drawn


def seen_from(instance: PyTree, stage: str | None) -> PyTree:
    """What a condition about a stage is given: that stage and those before it; all if None."""
    return instance if stage is None else instance.up_to(stage)


def check_staged(instance: object, parts: Sequence[str]) -> None:
    """ValueError for an instance without the parts that its statement gives it."""
    if parts and not (isinstance(instance, Staged) and list(instance) == list(parts)):
        raise ValueError(
            f"instance must have the stages {', '.join(parts)}, got {type(instance).__name__}"
            + (f" of {', '.join(instance)}" if isinstance(instance, Staged) else "")
        )
