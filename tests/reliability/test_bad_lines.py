"""Bad command lines of every verb: status 2, one line that says what is wrong, nothing printed."""

import argparse

import pytest

from experiments.command import learn, main, verbs
from experiments.machine import streams
from experiments.settings import numbers
from theory.verification import canary

pytestmark = pytest.mark.usefixtures("restore_precision")

TEXTS = (
    "", " 5", "5 ", "1_000", "٣", "５", "0x10", "1e", "e5", "--5", "1.2.3", "5,", "5:6", "2**",
    "2**0.5", "nan", "inf", "-inf", "1e400", "1e-400", "-1e400", "10**999", "9" * 100_000,
    "1e" + "9" * 50, "one", "5\n6", "½",
)  # fmt: skip
NEEDED = {
    "verify": ["lazy.movement"],
    "sweep": ["lazy.movement", "--grid", "m=8", "--out", "sweep"],
    "explain": ["lazy.movement"],
    "falsify": ["lazy.movement"],
    "frontier": ["lazy.movement", "--in", "m"],
    "figure": ["lazy-cosine"],
    "check": [],
}
LINES = [
    ["prove"],
    ["verify", "lazy.nothing"],
    ["verify", "nothing.py"],
    ["verify", "lazy.movement", "--unknown"],
    ["verify", "lazy.movement", "--draws", "5", "--until", "5"],
    ["verify", "lazy.movement", "--preset", "huge"],
    ["verify", "lazy.movement", "--precision", "float16"],
    ["verify", "lazy.movement", "--set", "m"],
    ["verify", "lazy.movement", "--set", "=5"],
    ["verify", "lazy.movement", "--set", "m="],
    ["verify", "lazy.movement", "--set", "m=0"],
    ["verify", "lazy.movement", "--set", "m=5", "--set", "m=6"],
    ["verify", "lazy.movement", "--set", "width=5"],
    ["verify", "lazy.movement", "--set", "data=digits"],
    ["verify", "lazy.movement", "--set", "T=0"],
    ["verify", "lazy.movement", "--set", "m=1e30"],
    ["verify", "lazy.movement", "--set", "m=" + "7" * 100_000],
    ["verify", "lazy.movement", "--set", "x" * 100_000 + "=1"],
    ["verify", "lazy.movement", "--set", "m=1\n2"],
    ["verify", "lazy.movement", "--data", "cauchy"],
    ["verify", "lazy.movement", "--data", "npz:nothing.npz"],
    ["verify", "lazy.movement", "--draws", "0"],
    ["verify", "lazy.movement", "--draws", "10**12"],
    ["verify", "lazy.movement", "--seed", "-1"],
    ["verify", "lazy.movement", "--level", "1.5"],
    ["verify", "lazy.movement", "--level", "1"],
    ["verify", "lazy.movement", "--level", "0"],
    ["verify", "lazy.movement", "--level", "1e-17"],
    ["verify", "lazy", "--level", "2e-12"],
    ["verify", "lazy.movement", "--jobs", "0"],
    ["verify", "lazy.movement", "--devices", "99"],
    ["verify", "lazy.movement", "--coordinator", "host:٣", "--processes", "1", "--process", "0"],
    ["verify", "lazy.movement", "--processes", "2"],
    ["verify", "lazy.movement", "--out", ""],
    ["sweep", "lazy.movement"],
    ["sweep", "lazy.movement", "--out", "s"],
    ["sweep", "lazy.movement", "--out", "s", "--grid", "m"],
    ["sweep", "lazy.movement", "--out", "s", "--grid", "m=8:4:x2"],
    ["sweep", "lazy.movement", "--out", "s", "--grid", "m=1:1e9:+1"],
    ["sweep", "lazy.movement", "--out", "s", "--grid", "T=1:2:x1." + 90 * "0" + "1"],
    ["sweep", "lazy.movement", "--out", "s", "--grid", "m=8,8"],
    ["sweep", "lazy.movement", "--out", "s", "--grid", "m=8", "--set", "m=8"],
    ["sweep", "lazy.movement", "--out", "s", "--grid", "m=8", "--memory", "0"],
    ["sweep", "lazy.movement", "--out", "s", "--grid", "m=8", "--memory", "1e300"],
    ["sweep", "lazy.movement", "--out", "s", "--grid", "m=8,16", "--level", "1e-12"],
    ["explain", "lazy.movement", "--draws", "-3"],
    ["explain", "lazy.movement", "--level", "1e-300"],
    ["falsify", "lazy.movement", "--over", "m"],
    ["falsify", "lazy.movement", "--over", "m=2"],
    ["falsify", "lazy.movement", "--over", "m=9:2"],
    ["falsify", "lazy.movement", "--over", "m=nan:2"],
    ["falsify", "lazy.movement", "--over", "m=1_0:2_0"],
    ["falsify", "lazy.movement", "--over", "m=2:1e12", "--evaluations", "10"],
    ["falsify", "lazy.movement", "--over", "width=1:2"],
    ["falsify", "lazy.movement", "--evaluations", "0"],
    ["falsify", "lazy.movement", "--level", "2e-12"],
    ["falsify", "lazy.movement", "--budget", "-1"],
    ["frontier", "lazy.movement"],
    ["frontier", "lazy.movement", "--in", "width"],
    ["frontier", "lazy.movement", "--in", "m=1:1e400"],
    ["frontier", "lazy.movement", "--in", "m=1:1e12", "--goal", "consistent"],
    ["frontier", "lazy.movement", "--in", "m", "--goal", "consistent", "--level", "1e-12"],
    ["figure"],
    ["figure", "nothing"],
    ["figure", "lazy-cosine", "--set", "m=1_0"],
    ["figure", "lazy-cosine", "--set", "widths=1:2:3"],
    ["bench", "nothing"],
    ["check", "nothing.json"],
    ["predict", "--n", "0"],
    ["predict", "--n", "1e12"],
    ["predict", "--loss", "squared"],
    ["train", "--steps-f", "2**63"],
    ["train", "--lr-f", "0.1:1"],
    ["train", "--n", "10**12"],
]  # fmt: skip


@pytest.fixture(scope="module")
def parser():
    return verbs.parser()


def numeric_options() -> list[tuple[str, str]]:
    """Every verb with each of its options that takes a number."""
    (subs,) = (a for a in verbs.parser()._actions if isinstance(a, argparse._SubParsersAction))
    found = [
        (verb, action.option_strings[-1])
        for verb, sub in subs.choices.items()
        for action in sub._actions
        if action.type in (numbers.integer, numbers.real)
        or (action.dest.startswith("setting_") and action.metavar in ("K", "V"))
    ]
    assert {verb for verb, _ in found} >= {*NEEDED, *learn.DRAWS} - {"check", "bench"}
    return found


def refused(capsys, line: list[str]) -> str:
    """The one line with which a command ends."""
    try:
        status = main.main(line)
    except SystemExit as stop:  # argparse
        status = stop.code
    out, err = capsys.readouterr()
    shown = " ".join(line)[:80]
    assert (status, out) == (2, ""), (shown, status, err[:300])
    assert err.count("\n") == 1, (shown, err[:300])
    assert err.endswith("\n")
    assert len(err) < streams.LONGEST + 200, shown
    return err


def test_no_option_takes_other_words_for_a_number(capsys, monkeypatch, tmp_path, parser):
    """Whatever Python's own int and float would make of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(main, "parser", lambda _: parser)
    tried = 0
    for verb, option in numeric_options():
        for text in TEXTS:
            if option in ("--lr-f", "--lr-g") and text in ("5 ", " 5"):
                continue  # lists, whose blanks do not count
            assert option in refused(capsys, [verb, *NEEDED.get(verb, []), f"{option}={text}"])
            tried += 1
    assert tried > 700


@pytest.mark.parametrize("line", LINES, ids=lambda line: " ".join(line)[:60].replace("\n", " "))
def test_a_bad_line_is_one_line_and_status_2(capsys, monkeypatch, tmp_path, line, parser):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(main, "parser", lambda _: parser)
    monkeypatch.setattr(canary, "check", lambda _: None)  # of the compiler, which is fine
    refused(capsys, line)
    assert not list(tmp_path.glob("*.cells"))
