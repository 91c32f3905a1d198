"""What checklists of conferences ask of experiments, answered from what is stored."""

from collections.abc import Sequence

from experiments.report.document.contents import Entry, Fact, Report, environment_facts
from experiments.report.words import number_text
from theory._wording import counted


def answers(report: Report) -> list[Fact]:
    """Assumptions, error bars and what varies, compute, and how to repeat it; none without runs."""
    if not report.entries:
        return []
    return [
        Fact("Assumptions", _assumptions(report.entries)),
        Fact("Error bars and what varies", _error_bars(report)),
        Fact("Compute", _compute(report)),
        Fact("Reproducibility", _repeating(report)),
    ]


def _assumptions(entries: Sequence[Entry]) -> str:
    needing = [e for e in entries if e.stored["hypotheses"]]
    always = [
        e for e in needing
        if all(one["met"] == e.stored["draws"] for one in e.stored["hypotheses"].values())
    ]  # fmt: skip
    vacuous = sum(e.stored["verdict"] == "vacuous" for e in entries)
    text = (
        "Every hypothesis was computed on every draw, with its numerical error (a stated bound, or "
        f"an estimate), and not assumed. Statements with hypotheses: {len(needing)} of "
        f"{len(entries)}; whose hypotheses all hold in every draw: {len(always)} of these."
    )
    return text + (
        f" Nothing was tested of {vacuous}, whose hypotheses hold in no draw." if vacuous else ""
    )


def _error_bars(report: Report) -> str:
    methods = {one["method"] for e in report.entries for one in e.stored["estimates"]} - {""}
    if any(e.stored["failure_rate"] is not None for e in report.entries):
        methods.add("Clopper–Pearson")
    levels = [run.stored["asked"].get("level") for run in report.runs]
    shared = ", ".join(dict.fromkeys(number_text(level) for level in levels if level is not None))
    low, high = (pick(e.stored["level"] for e in report.entries) for pick in (min, max))
    each = number_text(low) if low == high else f"{number_text(low)} to {number_text(high)}"
    limits = "where the law is unbounded up to the accuracy of a limit theorem"
    return (
        f"Intervals are confidence limits ({', '.join(sorted(methods)) or 'none were needed'}) at "
        f"one minus the level of each statement ({each}), {limits}; the level of all statements of "
        f"a run together, {shared or each}, bounds the probability that a true one is called "
        "refuted. They cover the variation over independent draws of all that is random in a "
        "statement: data, labels, initial weights, and what training makes of them. Parameters "
        "are fixed."
    )


def _compute(report: Report) -> str:
    seconds = sum(e.stored["seconds"] for e in report.entries)
    draws = sum(e.stored["draws"] for e in report.entries)
    parts = []
    for run in report.runs:
        facts = {fact.name: fact.value for fact in environment_facts(run.stored["environment"])}
        where = [facts[name] for name in ("devices", "platform") if name in facts]
        parts.append(", ".join(where))
    where = "; ".join(dict.fromkeys(parts))
    took = f"{counted(draws, 'draw')} took {_time(seconds)} of computing, compiling included"
    return f"{took}, on {where}."


def _time(seconds: float) -> str:
    if seconds < 120:
        return counted(round(seconds), "second")
    return (
        counted(round(seconds / 60), "minute") if seconds < 7200 else f"{seconds / 3600:.1f} hours"
    )


def _repeating(report: Report) -> str:
    seeds = ", ".join(dict.fromkeys(str(e.stored["seed"]) for e in report.entries))
    codes = {e.stored["code"] for e in report.entries} - {None}
    commands = "; ".join(run.command for run in report.runs)
    versions = environment_facts(report.runs[0].stored["environment"])[0].value
    return (
        f"Seed {seeds}; every draw has a key of its own, derived from seed, statement and number "
        f"of the draw. Commands: {commands}. Versions: {versions}. Digests of the code of each "
        f"statement ({len(codes)} in all) are stored beside its verdict."
    )
