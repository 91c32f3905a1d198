"""Certificates that hold are accepted, in a Python without JAX, and tampered ones are refused."""

import copy
import functools
import json
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from certificates.lemmas import LEMMA, WITHOUT_PROGRAM
from hypothesis import given
from hypothesis import strategies as st

from experiments.certificates import check, exact, making, replay
from experiments.certificates.program import Uncheckable
from experiments.command.main import main
from theory import Deterministic, Statement
from theory.certificates.max_margin import solve
from theory.certificates.separability import separate
from theory.margins import exceeds, rounding_error
from theory.verification.statistics import clopper_pearson, poisson_binomial_tail

ROOT = pathlib.Path(__file__).parents[2]
LEMMAS = str(ROOT / "tests" / "certificates" / "lemmas.py")
SEPARABLE = np.array([[1.0, 0.25], [0.5, -2.0], [-1.5, 0.125], [2.0, 3.0]])
LABELS = np.array([1.0, -1.0, -1.0, 1.0])
MIXED = np.array([[1.0, 0.5], [1.25, 0.75], [-1.0, -0.375], [0.5, -1.0], [-0.5, 2.0]])
MIXED_LABELS = np.array([1.0, -1.0, 1.0, 1.0, 1.0])
ORTHOGONAL = np.eye(4, 6) * [1.0, 1.125, 0.875, 1.25, 1, 1] + 0.03125


@functools.cache
def drawn_counterexample():
    """The first draw of seed 3 whose counterexample is proved."""
    for number in range(50):
        instance = replay.draw(LEMMA, LEMMA.config, 3, number)
        found = making.counterexample(
            LEMMA, instance, reference="lemmas.py:LEMMA", seed=3, draw=number
        )
        if found["proved"]:
            return found
    raise AssertionError("no draw contradicts the lemma")


@functools.cache
def original(name):
    if name == "counterexample":
        return drawn_counterexample()
    if name == "separator":
        return making.separation(SEPARABLE, LABELS, separate(SEPARABLE, LABELS))
    if name == "affine separator":
        found = separate(SEPARABLE + 5, LABELS, affine=True)
        return making.separation(SEPARABLE + 5, LABELS, found, affine=True)
    if name == "inseparable":
        return making.separation(MIXED, MIXED_LABELS, separate(MIXED, MIXED_LABELS))
    if name in ("kkt", "global"):
        found = solve(jnp.asarray(ORTHOGONAL), jnp.asarray(LABELS), 0.5)
        return making.max_margin(found, whole=name == "global")
    if name == "counts":
        return making.counts(7, 500, allowed=0.001, level=0.005)
    if name == "few":
        return making.counts(3, 100, allowed=0.05, level=0.005)
    assert name == "different"
    return making.counts(30, 400, allowed=np.linspace(0.001, 0.05, 400), level=0.005)


ORIGINALS = (
    "counterexample", "separator", "affine separator", "inseparable", "kkt", "global", "counts",
    "few", "different",
)  # fmt: skip


def again(name):
    """A copy, as it comes back from a file."""
    return json.loads(json.dumps(original(name)))


@pytest.mark.parametrize("name", ORIGINALS)
def test_an_original_is_accepted(name):
    lines = check.check(again(name))
    assert lines
    assert all(isinstance(line, str) for line in lines)


BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("jax", "jaxlib", "numpy", "scipy", "theory"):
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, Blocked())
from experiments.certificates import check
try:
    import numpy
except ImportError:
    sys.exit(check.main(sys.argv[1:]))
"""


def test_a_python_without_jax_numpy_and_theory_checks_all(tmp_path):
    files = []
    for name in ORIGINALS:
        files.append(tmp_path / f"{name}.json")
        making.write(original(name), files[-1])
    run = [sys.executable, "-c", BLOCKED, *map(str, files)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) >= len(files)
    damaged = again("counterexample")
    damaged["instance"][0]["values"][0] = (3.5).hex()
    making.write(resealed(damaged), files[0])
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "does not hold" in done.stderr


# --- tampering ------------------------------------------------------------------------------------


def resealed(content):
    """With the digest that fits what it says now."""
    return {**content, "digest": check.digest(content)}


def put(*path, to):
    """Replaces the entry at a path; `to` may be a function of it."""

    def tamper(content):
        *inner, last = path
        place = functools.reduce(lambda at, step: at[step], inner, content)
        place[last] = to(place[last]) if callable(to) else to

    return tamper


def digit(text):
    """A float in hexadecimal with another third digit."""
    head, tail = text.split(".")
    other = "7" if tail[2] != "7" else "3"
    return f"{head}.{tail[:2]}{other}{tail[3:]}"


def minus(text):
    return (-float.fromhex(text)).hex()


def dropped(name):
    return lambda content: content.pop(name)


def step_of(op, key, to, number=-1):
    """Changes a step of the conclusion's program."""

    def tamper(content):
        steps = content["conditions"][-1]["program"]["steps"]
        places = [k for k, s in enumerate(steps) if s["op"] == op and key(s)]
        to(steps[places[number]])

    return tamper


def function(old, new):
    return step_of("map", lambda s: s["function"] == old, lambda s: s.update(function=new))


def fold(old, new):
    return step_of("fold", lambda s: s["function"] == old, lambda s: s.update(function=new))


CONCLUSION = ("conditions", -1)
EXAMPLE = {
    "a digit of the instance": put("instance", 0, "values", 0, to=digit),
    "another digit of the instance": put("instance", 0, "values", 3, to=digit),
    "a sign of the instance": put("instance", 0, "values", 0, to=minus),
    "a shape": put("instance", 0, "shape", to=[2, 2]),
    "the array left out": put("instance", to=[]),
    "the array twice": put("instance", to=lambda parts: parts * 2),
    "a number that is none": put("instance", 0, "values", 1, to="nan"),
    "the type": put("instance", 0, "type", to="integer"),
    "a hypothesis said to fail": put("conditions", 0, "verdict", to="fails"),
    "the conclusion said to hold": put(*CONCLUSION, "verdict", to="holds"),
    "roles swapped": lambda c: [
        e.update(role=r) for e, r in zip(c["conditions"], ("conclusion", "hypothesis"), strict=True)
    ],
    "no conclusion": lambda c: c["conditions"].pop(),
    "two conclusions": lambda c: c["conditions"].append(copy.deepcopy(c["conditions"][-1])),
    "a digit of the margin": put(*CONCLUSION, "value", to=lambda v: [digit(x) for x in v]),
    "a sign of the margin": put(*CONCLUSION, "value", to=lambda v: [minus(x) for x in v[::-1]]),
    "a margin that says nothing": put(*CONCLUSION, "value", to=[(-9.0).hex(), (9.0).hex()]),
    "margins swapped": lambda c: c["conditions"][0].update(value=c["conditions"][1]["value"]),
    "programs swapped": lambda c: c["conditions"][0].update(program=c["conditions"][1]["program"]),
    "no program": put(*CONCLUSION, "program", to=None),
    "no steps": put(*CONCLUSION, "program", "steps", to=[]),
    "value and error swapped": put(*CONCLUSION, "program", "value", to=lambda v: v - 1),
    "the constant": step_of(
        "constant",
        lambda s: s["values"] == [(1.25).hex()],
        lambda s: s.update(values=[(1.5).hex()]),
    ),
    "a function": function("exp", "expm1"),
    "a sum": step_of(
        "map", lambda s: s["function"] == "add", lambda s: s.update(function="sub"), 0
    ),
    "a function that there is none of": function("exp", "system"),
    "an operation that there is none of": put(*CONCLUSION, "program", "steps", 0, "op", to="run"),
    "a later step": put(*CONCLUSION, "program", "steps", 1, "of", to=[999]),
    "the largest": fold("max", "min"),
    "a place": step_of("take", lambda s: len(s["places"]) > 3, lambda s: s["places"].reverse(), 0),
    "a place that there is none of": step_of(
        "take", lambda s: True, lambda s: s.update(places=[-1] * len(s["places"]))
    ),
    "sizes": step_of("dot", lambda s: True, lambda s: s.update(sizes=[1, 3, 3, 1])),
    "no proof": put("proved", to=False),
}
SEPARATOR = {
    "a sign of the separator": put("vector", 0, to=minus),
    "the separator turned": put("vector", to=lambda v: v[::-1]),
    "no separator": put("vector", to=[(0.0).hex(), (0.0).hex()]),
    "too short a separator": put("vector", to=lambda v: v[:1]),
    "a label": put("labels", 0, to=-1),
    "a label that is none": put("labels", 0, to=0),
    "labels swapped": put("labels", to=[-1, 1, 1, -1]),
    "a label too few": put("labels", to=lambda y: y[:-1]),
    "a larger margin": put("margin", to=lambda m: (float.fromhex(m) * 1.001).hex()),
    "a smaller margin": put("margin", to=lambda m: (float.fromhex(m) * 0.999).hex()),
    "a negative margin": put("margin", to=minus),
    "a point": put("points", 2, 0, to=minus),
    "affine": put("affine", to=True),
    "another kind": put("kind", to="inseparable"),
}
INSEPARABLE = {
    "a multiplier": lambda c: tampered_multiplier(c, lambda p: p + "1"),
    "a negative multiplier": lambda c: tampered_multiplier(c, lambda p: "-" + p),
    "multipliers turned": put("multipliers", to=lambda m: m[::-1]),
    "a multiplier too few": put("multipliers", to=lambda m: m[:-1]),
    "no multipliers": put("multipliers", to=lambda m: ["0"] * len(m)),
    "a multiplier of nothing": put("multipliers", 0, to="1/0"),
    "a sign of a point": put("points", 0, 0, to=minus),
    "a digit of a point": put("points", 0, 1, to=(0.5078125).hex()),
    "a label": put("labels", 0, to=-1),
    "affine": put("affine", to=True),
    "another kind": put("kind", to="separator"),
}
LIMIT = {
    "a digit of a multiplier": put("multipliers", 1, to=digit),
    "multipliers swapped": put("multipliers", to=lambda m: m[::-1]),
    "a digit of a point": put("points", 0, 0, to=(1.25).hex()),
    "a label": put("labels", 0, to=-1),
    "a digit of the slope": put("slope", to=(0.5625).hex()),
    "a slope that is none": put("slope", to=(1.5).hex()),
    "a support vector": put("active", 0, to=False),
    "no support vectors": put("active", to=lambda a: [False] * len(a)),
    "a digit of the margin": put("margin", to=digit),
    "a large error": put("error", to=(0.5).hex()),
    "a negative error": put("error", to=(-0.5).hex()),
    "points that are not nearly orthogonal": put(
        "points", 1, to=lambda _: original("kkt")["points"][0]
    ),
}
COUNTS = {
    "a failure more": put("failures", to=8),
    "a failure less": put("failures", to=6),
    "a draw more": put("draws", to=501),
    "ten times the draws": put("draws", to=5000),
    "more failures than draws": put("failures", to=501),
    "half a failure": put("failures", to=7.5),
    "the lower limit": put("limits", 0, to=digit),
    "the upper limit": put("limits", 1, to=digit),
    "limits swapped": put("limits", to=lambda v: v[::-1]),
    "a wider interval": put("limits", to=[(0.0).hex(), (1.0).hex()]),
    "the confidence": put("confidence", to=(0.95).hex()),
    "a confidence of 1": put("confidence", to=(1.0).hex()),
    "what is allowed": put("allowed", 0, to=(0.01).hex()),
    "allowed beyond 1": put("allowed", 0, to=(1.5).hex()),
    "allowed twice": put("allowed", to=lambda a: a * 2),
    "the tail": put("tail", to=lambda v: [digit(x) for x in v]),
    "a tail that says nothing": put("tail", to=[(0.0).hex(), (1.0).hex()]),
    "the verdict": put("refuted", to=lambda r: not r),
    "the level": put("level", to=lambda v: (float.fromhex(v) * 1e-9).hex()),
    "a level above 1": put("level", to=(1000.0).hex()),
    "a negative level": put("level", to=(-1.0).hex()),
    "a negative confidence": put("confidence", to=(-0.5).hex()),
}


def tampered_multiplier(content, change):
    place = next(k for k, m in enumerate(content["multipliers"]) if m not in ("0", "1"))
    top, _, bottom = content["multipliers"][place].partition("/")
    content["multipliers"][place] = f"{change(top)}/{bottom or 1}"


TAMPERED = [
    (name, what, tamper)
    for name, tampers in (
        ("counterexample", EXAMPLE),
        ("separator", SEPARATOR),
        ("inseparable", INSEPARABLE),
        ("kkt", LIMIT),
        ("global", {**LIMIT, "another kind": put("kind", to="counts")}),
        ("counts", COUNTS),
        ("different", {k: v for k, v in COUNTS.items() if k not in ("the level", "allowed twice")}),
    )
    for what, tamper in tampers.items()
]


@pytest.mark.parametrize(
    ("name", "what", "tamper"), TAMPERED, ids=[f"{n}: {w}" for n, w, _ in TAMPERED]
)
def test_a_tampered_certificate_is_refused_though_its_digest_fits(name, what, tamper):
    content = again(name)
    tamper(content)
    assert content != again(name), "the tampering changes something"
    with pytest.raises((check.Refused, Uncheckable, ValueError)) as refusal:
        check.check(resealed(content))
    assert "digest" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_there_are_enough_of_them():
    assert len(TAMPERED) >= 50


def test_damage_is_seen_by_the_digest():
    content = again("separator")
    content["made_with"] = {}
    with pytest.raises(check.Refused, match="the digest is not that of the content"):
        check.check(content)


def test_names_forge_no_line_and_move_no_cursor(capsys):
    """A statement's name is a stranger's text."""
    said = "holds\n\x1b[2Jother.json: a counterexample of RIEMANN"
    assert check._told("c.json", lambda: [said]) == 0

    def refused():
        raise check.Refused(said)

    assert check._told("c.json", refused) == 1
    for text in capsys.readouterr():
        assert text.count("\n") == 1
        assert "\x1b" not in text
        assert "\\x1b[2Jother.json" in text


# --- files and the command ------------------------------------------------------------------------

BAD_FILES = {
    "missing": (None, "cannot be read"),
    "empty": (b"", "not the JSON of a certificate"),
    "no JSON": (b"\x80\x04 pickled", "not the JSON of a certificate"),
    "truncated": (b'{"format": "widetheory cert', "not the JSON of a certificate"),
    "NaN": (b'{"format": "widetheory certificate", "version": NaN}', "NaN is no number of JSON"),
    "twice": (b'{"format": "a", "format": "widetheory certificate"}', "a name stands twice"),
    "deep": (b"[" * 200_000, "not the JSON of a certificate"),
    "a list": (b"[]", "format must be 'widetheory certificate'"),
    "another format": (b'{"format": "else"}', "format must be"),
    "later version": (
        b'{"format": "widetheory certificate", "version": 2, "kind": "counts"}',
        "version must be 1, got 2",
    ),
    "wrong kind": (
        b'{"format": "widetheory certificate", "version": 1, "kind": "proof"}',
        "kind must be one of counterexample",
    ),
    "a kind that is no word": (
        b'{"format": "widetheory certificate", "version": 1, "kind": {}}',
        "kind must be one of counterexample",
    ),
    "no entries": (None, "an entry is missing"),
    "huge": (b" " * (2**26 + 1), "at most 67108864 bytes"),
}


@pytest.mark.parametrize("verb", ["check", "replay"])
@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_input_ends_in_one_line_and_status_2(name, verb, tmp_path, capsys):
    data, message = BAD_FILES[name]
    path = tmp_path / "certificate.json"
    if name == "no entries":
        bare = {"format": check.FORMAT, "version": 1, "kind": "counterexample", "conditions": [1]}
        data = json.dumps(resealed(bare)).encode()
    if data is not None:
        path.write_bytes(data)
    assert main([verb, str(path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert len(error) < 400


def test_a_margin_within_its_rounding_is_not_said_to_be_beyond_it():
    """Proved of the numbers in the instance, and no more: rounding may have made the difference."""
    near = Statement(
        id="near",
        sample=lambda key, c: jax.random.normal(key, ()),
        claim=Deterministic(lambda x, c: exceeds(1.0, x, rounding_error(9, x))),
        config=LEMMA.config,
    )
    found = making.counterexample(near, np.nextafter(1.0, 2.0))
    assert found["proved"]
    (line, _) = check.check(found)
    assert "beyond" not in line
    found["conditions"][0]["beyond_rounding"] = True
    with pytest.raises(check.Refused, match="not beyond the rounding"):
        check.check(resealed(found))
    far = making.counterexample(near, np.float64(1.5))
    assert "fails, beyond the rounding that it states" in check.check(far)[0]


def test_the_command_checks_files(tmp_path, capsys):
    good, bad, without = (tmp_path / f"{name}.json" for name in ("good", "bad", "without"))
    making.write(original("counterexample"), good)
    assert main(["check", str(good)]) == 0
    assert "that this is lemmas.too-small is for" in capsys.readouterr().out
    content = again("counterexample")
    content["conditions"][-1]["verdict"] = "holds"
    making.write(resealed(content), bad)
    assert main(["check", str(good), str(bad)]) == 1
    assert "does not hold: conclusion: a counterexample needs that it fails" in (
        capsys.readouterr().err
    )
    found = making.counterexample(WITHOUT_PROGRAM, np.array([3.0, 1.0, 2.0]))
    assert not found["proved"]
    making.write(found, without)
    assert main(["check", str(without)]) == 2
    assert "cannot be checked here: conclusion: programs of certificates have no operation for" in (
        capsys.readouterr().err
    )


def test_replay_compares_with_the_statement(tmp_path, capsys):
    path = tmp_path / "certificate.json"
    making.write(original("counterexample"), path)
    assert main(["replay", str(path)]) == 2
    assert "a certificate does not choose which code is run" in capsys.readouterr().err
    assert main(["replay", str(path), f"{LEMMAS}:LEMMA"]) == 0
    printed = capsys.readouterr().out
    assert "of seed 3: the same" in printed
    assert printed.count("program: the same") == 2
    assert main(["replay", str(path), f"{LEMMAS}:OTHER"]) == 2
    assert "statement must be 'lemmas.too-small', got 'lemmas.other'" in capsys.readouterr().err


def test_another_statement_is_refused_by_replay(tmp_path, capsys):
    """`check` proves the program; that it is this statement's program is compared by `replay`."""
    content = again("counterexample")
    content["statement"]["id"] = "lemmas.other"
    path = tmp_path / "certificate.json"
    making.write(resealed(content), path)
    assert main(["replay", str(path), f"{LEMMAS}:OTHER"]) == 1
    assert "conclusion: margin" in (printed := capsys.readouterr().out)
    assert "program: not that of the statement today" in printed


REPLAY_REFUSES = {
    "a hypothesis left out": lambda c: c["conditions"].pop(0),
    "a hypothesis named otherwise": put("conditions", 0, "name", to="else"),
    "another draw": put("statement", "draw", "draw", to=lambda k: k + 1),
    "another configuration": put("statement", "configuration", "c", to={"float": (1.5).hex()}),
}


@pytest.mark.parametrize("what", REPLAY_REFUSES)
def test_replay_refuses(what, tmp_path):
    content = again("counterexample")
    REPLAY_REFUSES[what](content)
    path = tmp_path / "certificate.json"
    making.write(resealed(content), path)
    assert main(["replay", str(path), f"{LEMMAS}:LEMMA"]) == 1


@pytest.mark.parametrize("name", [n for n in ORIGINALS if n != "counterexample"])
def test_replay_of_the_other_kinds_agrees(name):
    found = replay.replay(again(name))
    assert found.agrees, found.lines
    assert found.lines


# --- the arithmetic of counts ---------------------------------------------------------------------


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.9, 0.99, 0.998]))
def test_limits_are_those_of_clopper_and_pearson(failures, more, confidence):
    draws = failures + more
    low, high = making._limits(failures, draws, (1 - exact.Fraction(confidence)) / 2)
    expected = clopper_pearson(failures, draws, confidence)
    np.testing.assert_allclose([low, high], expected, rtol=1e-9)


@given(st.lists(st.floats(0.001, 0.9), min_size=2, max_size=30), st.data())
def test_the_tail_of_different_trials_is_that_of_all_subsets(probabilities, data):
    """Against the convolution in rational numbers."""
    failures = data.draw(st.integers(0, len(probabilities)))
    rational = [exact.Fraction(p) for p in probabilities]
    law = [exact.Fraction(1)]
    for p in rational:
        law = [a * (1 - p) + b * p for a, b in zip([*law, 0], [0, *law], strict=True)]
    want = sum(law[failures:], exact.Fraction(0))
    found = making._tail(failures, rational, len(rational))
    assert abs(float(found.middle[0]) - float(want)) <= 1e-15 * float(want)
    assert float(found.low[0]) <= float(want) * (1 + 1e-15)
    assert poisson_binomial_tail(failures, np.array(probabilities)) == pytest.approx(float(want))
