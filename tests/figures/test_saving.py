"""Pictures do not depend on the user's machine: settings, backend, locale, zone, hash seed."""

import hashlib
import os
import pathlib
import subprocess
import sys
from typing import Any

import matplotlib
import matplotlib.figure
import numpy as np
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine

from experiments.figures import saving, style

ROOT = pathlib.Path(__file__).parent.parent.parent
RC = """
text.usetex: True
text.color: red
font.family: monospace
image.origin: lower
image.cmap: jet
image.interpolation: bilinear
lines.marker: X
lines.linestyle: :
axes.facecolor: black
axes.grid: False
axes.prop_cycle: cycler('color', ['c'])
axes.formatter.use_locale: True
axes.autolimit_mode: round_numbers
axes.unicode_minus: False
axes.titlelocation: left
errorbar.capsize: 9
figure.facecolor: yellow
figure.dpi: 30
figure.constrained_layout.h_pad: 2
figure.autolayout: True
hist.bins: 3
legend.loc: center
legend.shadow: True
patch.force_edgecolor: True
path.simplify_threshold: 1.0
savefig.dpi: 20
savefig.bbox: tight
savefig.facecolor: green
savefig.transparent: True
scatter.marker: ^
svg.fonttype: none
svg.hashsalt: other
svg.id: other
pdf.fonttype: 3
pdf.compression: 0
xtick.direction: in
xtick.labelsize: 30
ytick.minor.visible: True
date.autoformatter.day: %d
mathtext.fontset: cm
"""
PROGRAM = """
import pathlib, sys
from experiments.machine import drawing_library
drawing_library.prepare()
from tests_saving import picture
from experiments.figures import saving
out = pathlib.Path(sys.argv[1])
saving.save(picture, out, "a")
"""


def picture():
    """Lines, markers, bars, an image, regions, words and mathematics, as the figures have them."""
    figure, grid = style.axes(2, 2)
    x = np.arange(1.0, 6.0)
    a, b, c, d = grid.flat
    style.points(a, x, x**2, 0.1 * x, series=style.SERIES[0], label="measured γ ≤ 3")
    style.curve(a, x, x**2, series=style.SERIES[1], label="width $m$")
    a.legend()
    a.set_yscale("log")
    b.imshow(np.arange(12).reshape(3, 4))
    style.sign_map(c, x, x, np.outer(x - 3, x - 2))
    style.hatched(c, x, x, np.outer(x - 3, x - 2) > 4)
    d.hist(x)
    d.plot(x, -1e5 * x)
    style.letters(grid)
    return figure


def nested():
    """Figures within a figure, with a bar of colours, as plots and maps have them."""
    figure = matplotlib.figure.Figure(layout="constrained")
    parts: Any = figure.subfigures(2, 1)
    above, below = parts
    above.subplots(1, 2)[0].plot([0, 1], [0, 1])
    image = below.subplots().imshow([[0, 1]])
    below.colorbar(image)
    return figure


def test_what_a_layout_leaves_to_chance_is_in_no_file(tmp_path, monkeypatch):
    """Its solver's last digits differ from one picture of a process to the next."""
    execute = ConstrainedLayoutEngine.execute
    for name, off in (("a", 0.0), ("b", 1e-9)):
        (tmp_path / name).mkdir()

        def nudged(self, fig, off=off):
            found = execute(self, fig)
            for part in fig.subfigs:
                part.bbox_relative.set_points(part.bbox_relative.get_points() + off)
            for ax in fig.axes:
                ax.set_position(np.add(ax.get_position(True).bounds, off), which="original")
                ax.set_in_layout(True)
            return found

        monkeypatch.setattr(ConstrainedLayoutEngine, "execute", nudged)
        saving.save(picture, tmp_path / name, "x")
        saving.save(nested, tmp_path / name, "y")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def digests(out: pathlib.Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(out.iterdir())}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The digests of what is drawn where nobody has set anything."""
    out = tmp_path_factory.mktemp("plain")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        saving.save(picture, out, "a")
    return digests(out)


@pytest.fixture
def rc(tmp_path):
    """A matplotlibrc in which everything differs."""
    path = tmp_path / "matplotlibrc"
    path.write_text(RC)
    return path


def test_settings_of_the_user_change_no_byte(plain, rc, tmp_path):
    theirs = dict(matplotlib.rc_params_from_file(rc, use_default_template=False))
    assert len(theirs) > 30  # they were read
    (tmp_path / "out").mkdir()
    with matplotlib.rc_context(theirs):
        saving.save(picture, tmp_path / "out", "a")
        assert matplotlib.rcParams["lines.marker"] == "X"  # and are the user's again
        assert digests(tmp_path / "out") == plain
        # What this is for: our settings over theirs are not enough.
    half: Any = {"image.origin": "lower"} | style.RC
    with matplotlib.rc_context(half):
        picture().savefig(tmp_path / "out" / "a.png", metadata={"Software": None})
    assert digests(tmp_path / "out")["a.png"] != plain["a.png"]


@pytest.mark.parametrize(
    "backend", ["module://matplotlib_inline.backend_inline", "no such backend"]
)
def test_nothing_around_the_process_changes_a_byte(plain, rc, tmp_path, backend):
    (tmp_path / "out").mkdir()
    # A file beside the work is read first; one of its lines ends the import where a locale lacks.
    (tmp_path / "work").mkdir()
    text = RC.replace("axes.formatter.use_locale: True\n", "")
    (tmp_path / "work" / "matplotlibrc").write_text(text)
    (tmp_path / "tests_saving.py").write_text(pathlib.Path(__file__).read_text())
    environment = os.environ | {
        "MATPLOTLIBRC": str(rc),
        "MPLBACKEND": backend,
        "MPLCONFIGDIR": str(tmp_path),
        "PYTHONHASHSEED": "12345",
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "de_DE.UTF-8",
        "TZ": "Asia/Kathmandu",
        "SOURCE_DATE_EPOCH": "86400",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)]),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "out")],
        env=environment, cwd=tmp_path / "work", capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert digests(tmp_path / "out") == plain


def test_letters_that_no_font_has_are_no_reason_for_words(capfd, tmp_path):
    def strange():
        figure, grid = style.axes()
        grid[0, 0].set_title("龘 \U0001f600")
        return figure

    saving.save(strange, tmp_path, "a")
    assert capfd.readouterr() == ("", "")
