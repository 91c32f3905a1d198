"""The canary: silent on a compiler that is right, and one clear line on one that is not."""

import re

import jax
import jax.numpy as jnp
import pytest
from untyped import known

from experiments.command import main
from theory import REGISTRY, verify
from theory.verification import canary


def miscompiled(pattern: canary.Pattern, change) -> canary.Pattern:
    """The pattern as a compiler would have it that changes results by `change`."""
    return pattern._replace(compiled=lambda x, z: change(pattern.compiled(x, z)))


@pytest.fixture
def patterns(monkeypatch):
    """Replaces the patterns for one test; nothing of it is remembered."""

    def replace(*patterns):
        monkeypatch.setattr(canary, "PATTERNS", patterns)
        canary.wrong.cache_clear()

    yield replace
    canary.wrong.cache_clear()


def test_the_installed_compiler_is_right():
    canary.wrong.cache_clear()
    canary.check("float64")


def test_a_tpu_computes_in_single_precision_alone(monkeypatch):
    """Its float64 is a pair of float32, of which XLA has no bits: what verdicts need is refused."""
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    canary.wrong.cache_clear()
    canary.check("float32")
    with pytest.raises(ValueError, match="precision must be float32 on a TPU, got float64"):
        verify(REGISTRY["lazy.movement"], key=jax.random.key(0), draws=2)
    canary.wrong.cache_clear()


@pytest.mark.parametrize("which", range(len(canary.PATTERNS)))
@pytest.mark.parametrize(
    "change",
    [
        lambda result: jnp.roll(result, 1),  # another row's result
        lambda result: result.at[-1].multiply(1 + 1e-4),  # a single entry, slightly
        lambda result: result.at[-1].set(jnp.nan),
    ],
)
def test_a_wrong_pattern_is_found(patterns, which, change):
    pattern = canary.PATTERNS[which]
    patterns(miscompiled(pattern, change))
    with pytest.raises(canary.MiscompilationError, match=re.escape(pattern.name)):
        canary.check("float64")


def test_only_float64_is_wrong(patterns):
    """As in jaxlib 0.10.2: results from row 16384 on are those of other rows."""

    def change(result):
        wrong = result.at[16384:].set(result[: len(result) - 16384])
        return wrong if result.dtype == jnp.float64 else result

    patterns(*canary.PATTERNS[1:], miscompiled(canary.PATTERNS[0], change))
    message = (
        r"jaxlib [\d.]+ computes wrong numbers on [a-z]+: the mean of \|x zᵀ \+ 1\|, x of shape "
        r"\(3, 3\), z of \(20001, 3\), float64, is [\d.]+ times what NumPy finds, at entry \d+; "
        "nothing can be judged with it, install another version of jax and jaxlib"
    )
    with pytest.raises(canary.MiscompilationError, match=message) as raised:
        canary.check("float64")
    assert "\n" not in str(raised.value)
    assert int(known(re.search(r"entry (\d+)", str(raised.value)))[1]) >= 16384


@pytest.mark.slow
@pytest.mark.usefixtures("restore_precision")
@pytest.mark.parametrize(
    "command",
    [
        ("verify", "orthogonal.multiplier-range", "--draws", "2", "--jobs", "1"),
        ("sweep", "orthogonal.multiplier-range", "--grid", "n=2,4", "--draws", "2"),
        ("figure", "lazy-cosine"),
        ("predict", "--draws", "1"),
        ("train", "--draws", "1"),
    ],
    ids=lambda command: command[0],
)
def test_no_command_goes_on(patterns, capsys, tmp_path, command):
    patterns(miscompiled(canary.PATTERNS[0], lambda result: 2 * result))
    out = ("--out", str(tmp_path)) if command[0] in ("sweep", "figure") else ()
    status = main.main([*command, *out])
    printed, error = capsys.readouterr()
    assert status == 2
    assert printed == ""
    assert re.fullmatch(r"widetheory: jaxlib .* is 2 times what NumPy finds.*\n", error)
    assert not list(tmp_path.iterdir())


def test_the_api_does_not_either(patterns):
    patterns(miscompiled(canary.PATTERNS[0], lambda result: 2 * result))
    with pytest.raises(canary.MiscompilationError):
        verify(REGISTRY["orthogonal.multiplier-range"], key=jax.random.key(0), draws=2)
