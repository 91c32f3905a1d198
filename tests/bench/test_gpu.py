"""The script for whoever has an accelerator, with small sizes on the CPU."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_every_step_writes_what_it_measured(tmp_path):
    path = os.pathsep.join((str(pathlib.Path(sys.executable).parent), os.environ["PATH"]))
    environ = os.environ | {"JAX_PLATFORMS": "cpu", "SMALL": "1", "PATH": path}
    done = subprocess.run(
        [ROOT / "experiments" / "bench" / "gpu.sh", tmp_path / "out"],
        env=environ, capture_output=True, text=True, timeout=660, check=False,
    )  # fmt: skip
    header, *steps = (tmp_path / "out" / "steps.tsv").read_text().splitlines()
    assert header.split("\t") == ["step", "seconds", "status"]
    assert [step.split("\t")[::2] for step in steps] == [
        [name, "0"] for name in ("machine", "tests", "bench", "figure")
    ]
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "bench.json").exists()
    assert (tmp_path / "out" / "figures" / "lazy-map.csv").exists()
