"""One generator of random numbers, whatever the environment and the caller's settings say."""

import json
import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from untyped import known

from experiments.command import main
from experiments.machine import environment
from theory import REGISTRY, keys
from theory.verification.evaluation import evaluate
from theory.verification.memory import largest_batch
from theory.verification.verify import verify

STATEMENT = REGISTRY["orthogonal.multiplier-range"]
ARGUMENTS = ("verify", STATEMENT.id, "--draws", "3", "--jobs", "1", "--json")


def margins(text: str) -> list[float]:
    (statement,) = json.loads(text)["statements"]
    hypothesis = statement["hypotheses"]["near-orthogonality"]
    return [statement["tightest_margin"], hypothesis["tightest_margin"]]


@pytest.mark.slow
@pytest.mark.usefixtures("restore_precision")
def test_the_environment_changes_no_number(capsys):
    """Each of the three variables changes every number of plain JAX."""
    variables = {
        "JAX_DEFAULT_PRNG_IMPL": "rbg",
        "JAX_THREEFRY_PARTITIONABLE": "0",
        "JAX_RANDOM_SEED_OFFSET": "7",
    }
    code = "import sys; from experiments.command.main import main; sys.exit(main(sys.argv[1:]))"
    child = subprocess.run(
        [sys.executable, "-c", code, *ARGUMENTS],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert main.main(list(ARGUMENTS)) == 0
    here = capsys.readouterr().out
    assert margins(child.stdout) == margins(here)
    for text in (child.stdout, here):
        assert json.loads(text)["environment"]["generator"] == "threefry2x32, partitionable"


def test_the_form_of_the_generator_is_fixed_in_python_too(key):
    expected = evaluate(STATEMENT, key, 3)
    fit = largest_batch(STATEMENT, key, 3, limit=10**12)
    with jax.threefry_partitionable(False):
        assert not np.allclose(jax.random.normal(key, (3,)), jax.jit(_normals)(key))
        found = evaluate(STATEMENT, key, 3)
        assert largest_batch(STATEMENT, key, 3, limit=10**12) == fit
    np.testing.assert_array_equal(known(found.conclusion).value, known(expected.conclusion).value)


def _normals(key):
    with jax.threefry_partitionable(True):
        return jax.random.normal(key, (3,))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (0, "key must be a random key as of jax.random.key, got 0; use theory.keys.make_key(seed)"),
        (
            None,
            "key must be a random key as of jax.random.key, got None; use theory.keys.make_key(",
        ),
        (
            np.array([0, 0], np.uint32),
            "key must be a random key as of jax.random.key, got an array of uint32; use",
        ),
        (
            jnp.zeros(2, "uint32"),
            "key must be a random key as of jax.random.key, got an array of uint32; use",
        ),
        (
            jax.random.split(keys.make_key(0)),
            "key must be a single random key, got an array of shape",
        ),
        (jax.random.key(0, impl="rbg"), "key must be of the generator threefry2x32, got rbg; use"),
    ],
)
def test_other_keys_are_refused(key, message):
    if isinstance(key, jax.Array):  # the tests' own check of types would refuse others first
        with pytest.raises(ValueError, match=re.escape(message)):
            verify(STATEMENT, key=key, draws=2)
    for call in (
        lambda: evaluate(STATEMENT, key, 2),
        lambda: largest_batch(STATEMENT, key, 2, limit=10**12),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            call()


@pytest.mark.usefixtures("restore_precision")
def test_a_sweep_of_another_generator_is_not_gone_on_with(capsys, tmp_path, monkeypatch):
    command = ["sweep", STATEMENT.id, "--grid", "n=2", "--draws", "2", "--out", str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(environment, "generator", lambda: "rbg, partitionable")
        assert main.main(command) == 0
    assert main.main([*command, "--resume"]) == 2
    assert "generator: rbg, partitionable → threefry2x32, partitionable" in capsys.readouterr().err


def test_keys_are_made_in_one_place_in_what_runs_experiments():
    """`jax.random.key` takes the generator from the environment."""
    root = os.path.join(os.path.dirname(__file__), "..")
    allowed = {os.path.join("images", "training.py")}  # asks for shapes, never for numbers
    for folder, _, files in os.walk(os.path.join(root, "experiments")):
        for file in files:
            path = os.path.join(folder, file)
            if file.endswith(".py") and not any(path.endswith(one) for one in allowed):
                with open(path, encoding="utf-8") as source:
                    assert not re.search(r"random\.(key|PRNGKey)\(", source.read()), path
