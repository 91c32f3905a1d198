"""Tables: claims and their values side by side, and which of many claims is shown."""

from types import SimpleNamespace
from typing import Any

from experiments.report import statements, verdicts
from theory import REGISTRY
from theory.verification.verdict import Constant, Estimate, FailureRate, Verdict


def verdict(*estimates, **parts):
    return Verdict(
        id="toy.claims",
        kind=parts.pop("kind", "probabilistic"),
        verdict=parts.pop("verdict", "consistent"),
        reason="why",
        draws=10,
        level=0.01,
        outcomes={},
        hypotheses={},
        measured={},
        estimates=estimates,
        **parts,
    )


def estimate(name, observed, side="equal", verdict="consistent", tolerance=0.0):
    return Estimate(name, 1.0, side, tolerance, observed, observed - 0.1, observed + 0.1, verdict)


def lines(text):
    return text.split("\n")


def test_every_claim_has_its_value_on_the_same_line():
    long = "a name that is much longer than one line of the column can hold at its width"
    shown = verdict(estimate("first", 1.01), estimate(long, 1.02), estimate("last", 1.03))
    claims, values = lines(verdicts._conclusion(shown)), lines(verdicts._measured(shown))
    assert len(claims) == len(values)
    for line, value in zip(claims, values, strict=True):
        assert line.startswith(("first", "a name", "last")) == bool(value)
    assert claims[0] == "first = 1"
    assert values[-1] == "1.03 [0.93, 1.13]"


def test_of_many_claims_the_nearest_to_its_limits_is_shown():
    near = estimate("near", 1.09)
    shown = verdict(*(estimate(f"claim {i}", 1.0 + 0.01 * i) for i in range(5)), near)
    assert lines(verdicts._conclusion(shown)) == ["6 of 6 claims, nearest:", "near = 1"]
    assert len(lines(verdicts._measured(shown))) == 2


def test_a_large_tolerance_is_room_and_the_right_side_of_a_claim_is_not_near():
    far = estimate("far", 3.0, side="at least")
    loose = estimate("loose", 1.09, tolerance=1.0)
    tight = estimate("tight", 1.05)
    shown = verdict(far, far, far, loose, tight)
    assert lines(verdicts._conclusion(shown))[1] == "tight = 1"


def test_refuted_claims_are_shown_before_others():
    bad = estimate("bad", 2.0, verdict="refuted")
    worse = estimate("worse", 1.09)
    shown = verdict(bad, *([worse] * 5), verdict="refuted")
    assert lines(verdicts._conclusion(shown)) == ["1 of 6 claims, nearest:", "bad = 1"]


def test_open_constants_and_tightness_are_in_the_table():
    shown = verdict(
        tightness=3.14159,
        constant=Constant(0.5, 2.0),
        failure_rate=FailureRate(0, 10, 0.0, 0.0, 0.3, 0.05),
    )
    assert lines(verdicts._measured(shown)) == [
        "0 [0, 0.3]", "allowed: ≤ 0.05", "bound/observed: 3.14", "smallest C: 0.5",
    ]  # fmt: skip


def test_a_caveat_stands_beside_the_verdict_whatever_it_is():
    """In the notes of `verify`: once for all statements, and with the reason of a refutation."""
    statement = REGISTRY["lazy.prediction-matching-published"]
    run = SimpleNamespace(statement=statement, config=statement.config, case="")
    for found in ("consistent", "refuted"):
        shown = verdict(verdict=found)
        result: Any = SimpleNamespace(verdict=shown, run=run, documented_erratum=False)
        text = "\n".join(str(line) for line in verdicts._notes([result, result]))
        assert text.count(f"{statement.id}: reconstructed: the theorems of Kumano") == 1
        assert text.count("reconstructed") == (1 if found == "consistent" else 3)
    assert statements.statement_json(statement)["caveat"] == statement.caveat


def test_statements_whose_source_is_reconstructed_say_so_everywhere():
    for statement in REGISTRY.values():
        assert ("reconstructed" in statement.source) == bool(statement.caveat), statement.id
