"""Planted statements: each is known to be true or false, and says beforehand how it may be judged.

False-alarm rate: a true statement is called refuted with probability at most LEVEL. Seeds are
fixed once and for all, none was chosen by its result.
"""

import contextlib
import dataclasses
import functools
import signal
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import pytest
from loose_parts import made_of

from theory import Margin, Statement, Verdict, margin, verify

Parts: TypeAlias = dict[str, Any]  # arguments of a `Statement`, and of the kind of its claim

LEVEL = 1e-3
SEED = 20261
SECONDS = 60  # no verdict may take longer: a search that never ends is a fault of its own

CONSISTENT = frozenset({"consistent"})
REFUTED = frozenset({"refuted"})
VACUOUS = frozenset({"vacuous"})
INCONCLUSIVE = frozenset({"inconclusive"})
REFUSED = frozenset({"refused"})  # a ValueError of one line, which says what to mend
UNTOLD = INCONCLUSIVE | REFUSED  # no verdict either way
NOT_REFUTED = CONSISTENT | INCONCLUSIVE
NOT_CONSISTENT = REFUTED | INCONCLUSIVE
ANSWERS = CONSISTENT | REFUTED | VACUOUS | INCONCLUSIVE | REFUSED


@dataclasses.dataclass(frozen=True)
class Planted:
    """A statement whose truth is known.

    Attributes:
      name: unique in the battery.
      parts: arguments of its `Statement`, which is made when it is judged: it may be refused.
      truth: whether it is true.
      allowed: the answers that are right: verdicts, or "refused".
      why: what a judge could fall for, or why no other answer is right.
      draws: number of draws.
      says: words that the reason or the notes of the verdict contain.
    """

    name: str
    parts: Mapping[str, Any]
    truth: bool
    allowed: frozenset[str]
    why: str
    draws: int
    says: str = ""

    def __post_init__(self) -> None:
        wrong = "refuted" if self.truth else "consistent"
        if wrong in self.allowed or not self.allowed or not self.allowed <= ANSWERS:
            raise ValueError(f"allowed of {self.name} must be right answers, got {self.allowed}")

    @functools.cached_property
    def statement(self) -> Statement:
        return made_of(id=f"planted.{self.name}", **self.parts)

    @property
    def kind(self) -> str:
        return self.parts["kind"]


def true(
    name: str,
    why: str,
    *,
    allowed: Collection[str] = CONSISTENT,
    draws: int = 100,
    says: str = "",
    **parts: Any,
) -> Planted:
    """A true statement; a plain one has to be "consistent"."""
    return Planted(name, _with_defaults(parts), True, frozenset(allowed), why, draws, says)


def false(
    name: str,
    why: str,
    *,
    allowed: Collection[str] = REFUTED,
    draws: int = 100,
    says: str = "",
    **parts: Any,
) -> Planted:
    """A false statement; a grossly false one has to be "refuted"."""
    return Planted(name, _with_defaults(parts), False, frozenset(allowed), why, draws, says)


def _with_defaults(parts: Mapping[str, Any]) -> Parts:
    """Deterministic, about one normal, and with every draw in one batch, unless told otherwise."""
    drawn = {} if "stages" in parts else {"sample": normal}
    return {"kind": "deterministic", "batch": 20_000} | drawn | dict(parts)


class Answer(NamedTuple):
    """A verdict, or "refused" with the message in the place of the reason."""

    word: str
    reason: str
    verdict: Verdict | None


def answer(planted: Planted, **options: Any) -> Answer:
    """What the public API says about a planted statement."""
    options = {"key": jax.random.key(SEED), "draws": planted.draws, "level": LEVEL} | options
    try:
        with time_limit(SECONDS):
            verdict = verify(planted.statement, **options)
    except ValueError as error:
        return Answer("refused", str(error), None)
    return Answer(verdict.verdict, verdict.reason, verdict)


def check(planted: Planted) -> None:
    """Fails unless the planted statement is answered as was stated beforehand."""
    found = answer(planted)
    expected = " or ".join(sorted(planted.allowed))
    truth = "true" if planted.truth else "false"
    told = f"{planted.name} is {truth}: {planted.why}"
    assert found.word in planted.allowed, f"{found.word}, not {expected}: {found.reason}\n{told}"
    assert "\n" not in found.reason, f"more than one line: {found.reason}"
    if planted.says:
        notes = " ".join((found.reason, *(found.verdict.notes if found.verdict else ())))
        assert planted.says in notes, f"no word of {planted.says!r} in {notes!r}\n{told}"


def planted_in(*themes: Any) -> Any:
    """Parametrizes a test over the planted statements of themes.

    Each of them is compiled for itself, so by default every sixth is judged; the others are marked
    slow.
    """
    cases = [
        pytest.param(planted, id=planted.name, marks=[pytest.mark.slow] if i % 6 else [])
        for theme in themes
        for i, planted in enumerate(theme.PLANTED)
    ]
    return pytest.mark.parametrize("planted", cases)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """TimeoutError in whatever still runs after so many seconds."""

    def expired(signum: int, frame: Any) -> None:
        raise TimeoutError(f"no verdict after {seconds} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# --- what the statements are about ----------------------------------------------------------------


def normal(key: jax.Array, config: Any) -> jax.Array:
    return jax.random.normal(key)


def uniform(key: jax.Array, config: Any) -> jax.Array:
    return jax.random.uniform(key)


def normals(count: int) -> Callable[..., jax.Array]:
    return lambda key, config: jax.random.normal(key, (count,))


def uniforms(count: int) -> Callable[..., jax.Array]:
    return lambda key, config: jax.random.uniform(key, (count,))


def integers(low: int, high: int, dtype: Any = "int64") -> Callable[..., jax.Array]:
    """Two integers in [low, high)."""
    return lambda key, config: jax.random.randint(key, (2,), low, high, dtype)


def sharp(value: Any) -> Margin:
    """A margin with a stated error far above the rounding of the few operations behind it."""
    return margin(value, 1e-12)


def const(value: Any) -> Callable[..., Any]:
    return lambda *_: value
