"""Arguments that are none, for public functions of the rooms that compute: each in one line.

The line names the argument, says what was expected and what came. Nothing is compiled before it.
"""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest
from one_line import line_of

from theory import infinite_width, networks

ANY: Any = {"half": "0.5", "three": (1, 2, 3), "number": 3, "float": 2.5, "yes": "yes"}

X, Z, Y = np.arange(12.0).reshape(4, 3), np.ones((2, 3)), np.array([1.0, -1, 1, -1])
ROOT = pathlib.Path(__file__).parents[2]
KEY, NETWORK = jax.random.key(0), networks.frozen_readout(0.2)


def test_what_is_no_argument_is_refused_in_one_line():
    """As users call, who have no type checker: more than a thousand bad arguments."""
    program = [sys.executable, "-m", "reliability.bad_arguments"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}
    done = subprocess.run(program, capture_output=True, text=True, env=env, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["wrong"] == []
    assert found["too strict"] == []
    assert found["tried"] > 1000


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (
            lambda: infinite_width.f_hat(X, (Y + 1) / 2, Z, 0.2),
            "y must be −1 or +1, got values {0, 1}; use 2*y − 1",
        ),
        (
            lambda: infinite_width.f_hat(X, Y, Z, ANY["half"]),
            "slope must be a finite number in [0, 1), got '0.5'",
        ),
        (lambda: networks.outputs(ANY["three"], X, 0.1), "params must be a Params, got (1, 2, 3)"),
        (
            lambda: networks.init(NETWORK, ANY["number"], 6, 3),
            "key must be one random key, as jax.random.key(0) is, got 3",
        ),
        (lambda: networks.init(NETWORK, KEY, ANY["float"], 3), "m must be an integer ≥ 1, got 2.5"),
        (lambda: networks.init(NETWORK, KEY, 0, 3), "m must be an integer ≥ 1, got 0"),
        (
            lambda: networks.Network(0.1, True, "gaussian", ("v",)),
            "trained must be a tuple of names among w, b, a, got ('v',)",
        ),
        (
            lambda: infinite_width.ntk(X, Z, 0.2, ANY["yes"]),
            "bias must be True or False, got 'yes'",
        ),
        (lambda: infinite_width.normal_quantile(-1.0), "s must be a number ≥ 0, got -1.0"),
        (
            lambda: infinite_width.certified_exponents(1.5, 4),
            "delta must be a finite number in (0, 1], got 1.5",
        ),
    ],
)
def test_words_of_the_lines(call, line):
    assert line_of(call) == line
