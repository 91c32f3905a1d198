"""Programs of the battery in processes of their own, without the flags that the tests set."""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

TESTS = pathlib.Path(__file__).parent.parent


def printed(module: str, *arguments: str) -> Any:
    """What a module of the battery prints as JSON on its last line, when run as a program."""
    unset = ("JAX_ENABLE_X64", "JAX_NUMPY_DTYPE_PROMOTION", "JAX_NUMPY_RANK_PROMOTION")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (TESTS.parent, TESTS)))
    done = subprocess.run(
        [sys.executable, "-m", f"soundness.{module}", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
