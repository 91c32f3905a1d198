"""Verdicts as tables for people and as JSON for programs."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from experiments.files import seals
from experiments.files.strict_json import Record
from experiments.machine import environment
from experiments.report.rows import Words, labelled
from experiments.report.words import COLOURS, MEANINGS, claim_lines, claim_texts, number_text
from experiments.results.records import plain
from experiments.settings.text import fields_by_name
from experiments.verify.running import KEYS, Result
from theory import Dataset
from theory._wording import counted
from theory.verification.verdict import ConditionSummary, Verdict

LOOSE = 20  # bound over observed quantile, from which on a bound must say why


def verdict_json(result: Result) -> Record:
    """One entry of "statements" in the JSON of `verify`."""
    statement, verdict = result.run.statement, result.verdict
    body = plain(verdict)
    for role in ("hypotheses", "measured"):
        for name, condition in getattr(statement, role).items():
            if name in body[role]:
                body[role][name]["says"] = condition.says
    first = {name: body.pop(name) for name in ("id", "kind")}
    return {
        "id": first["id"],
        "source": statement.source,
        "caveat": statement.caveat,
        "kind": first["kind"],
        "case": result.run.case,
        "title": statement.title,
        "says": statement.says,
        **body,
        "documented_erratum": statement.erratum,
        "loose": statement.loose,
        "reference": result.run.reference,
        "config": plain(result.run.config),
        "parameters": {
            name: {"unit": field.metadata["unit"], "says": field.metadata["doc"]}
            for name, field in fields_by_name(result.run.config).items()
        },
        "seed": result.seed,
        "seconds": round(result.seconds, 3),
        "devices": result.devices,
        "code": result.code,
        "kept_draws": result.kept,
    }


def verify_json(asked: Record, entries: Sequence[Record], left_out: Mapping[str, str]) -> Record:
    """The JSON of `verify`, sealed by its digest.

    Args:
      asked: schema, words of the command, and what they asked for.
      entries: of `verdict_json`, of what ran.
      left_out: identifier → why of what did not run.
    """
    content = {
        **asked,
        "keys": KEYS,
        "statements": list(entries),
        "left_out": dict(left_out),
        "environment": environment.describe(),
    }
    return seals.sealed(content)


def _tested(result: Result) -> str:
    config = plain(result.run.config) or {}
    source = config.get("data")
    name = source["name"] if isinstance(source, dict) else source
    sizes = [f"{symbol}={config[symbol]}" for symbol in ("n", "d", "m") if symbol in config]
    if "m_min" in config:
        top = config["m_min"] * 2 ** (config["widths"] - 1)
        sizes.append(f"m={config['m_min']}…{top}")
    lines = [result.run.case, name or "", " ".join(sizes), counted(result.verdict.draws, "draw")]
    return "\n".join(line for line in lines if line)


def _hypotheses(verdict: Verdict) -> str:
    if not verdict.hypotheses:
        return "δ < 1 in no draw" if verdict.verdict == "vacuous" else "none needed"
    lines = []
    for name, summary in verdict.hypotheses.items():
        share = f"{summary.met}/{verdict.draws}"
        missed = summary.ratio is not None and summary.ratio[1] < 1
        lines.append(f"{name} {share}" + (f", misses by {_miss(summary)}×" if missed else ""))
    return "\n".join(lines)


def _miss(summary: ConditionSummary) -> str:
    assert summary.ratio is not None
    return number_text(1 / summary.ratio[1]) if summary.ratio[1] > 0 else "∞"


def _conclusion(verdict: Verdict) -> str:
    if verdict.estimates:
        return "\n".join(line for claim, _ in claim_texts(verdict) for line in claim)
    held = verdict.outcomes["confirmed"] + verdict.outcomes["beyond"]
    text = f"{held:,}/{verdict.draws:,}"
    if verdict.outcomes["beyond"]:
        text += f"\n{verdict.outcomes['beyond']:,} beyond"
    if verdict.outcomes["undecided"]:
        text += f"\n{verdict.outcomes['undecided']:,} undecided"
    return f"{text}\nmargin {number_text(verdict.tightest_margin)}"


def _measured(verdict: Verdict) -> str:
    if verdict.estimates:
        return "\n".join(line for _, values in claim_texts(verdict) for line in values)
    rate = verdict.failure_rate
    if rate is None:
        return "not tested"
    limits = f"[{number_text(rate.low)}, {number_text(rate.high)}]"
    allowed = "never" if verdict.kind == "deterministic" else f"≤ {number_text(rate.allowed)}"
    lines = [f"{number_text(rate.observed)} {limits}", f"allowed: {allowed}"]
    if verdict.detectable is not None:
        lines.append(f"detects ≥ {number_text(verdict.detectable)}")
    if verdict.tightness is not None:
        lines.append(f"bound/observed: {number_text(verdict.tightness)}")
    if verdict.constant is not None:
        lines.append(f"smallest C: {number_text(verdict.constant.smallest)}")
    return "\n".join(lines)


NARROW = 118  # columns that a table needs beside identifiers, with no value broken


class _Rows:
    """What is said of each statement: as a table, or in lines where that has no room."""

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = results

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        longest = max((cell_len(r.run.statement.id) for r in self.results), default=0)
        wide = options.max_width >= longest + NARROW
        yield _table(self.results) if wide else Group(*map(_lines, self.results))


def _label(result: Result) -> Text:
    verdict = result.verdict.verdict
    return Text(verdict, style=f"bold {COLOURS[verdict]}")


def _table(results: Sequence[Result]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 1, 0))
    longest = max((cell_len(result.run.statement.id) for result in results), default=0)
    table.add_column("Statement\nsource", overflow="fold", min_width=longest)
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Tested on", overflow="fold")
    table.add_column("Hypotheses met", max_width=26, overflow="fold")
    table.add_column("Conclusion held,\ntightest margin; claim", overflow="fold")
    table.add_column("Failure rate or value\n[confidence limits]", no_wrap=True)
    for result in results:
        verdict, statement = result.verdict, result.run.statement
        label = _label(result)
        if result.documented_erratum:
            label.append("\nknown erratum", style="dim")
        table.add_row(
            Text(statement.id, style="bold").append(f"\n{statement.source}", style="not bold dim"),
            label,
            _tested(result),
            _hypotheses(verdict),
            _conclusion(verdict),
            _measured(verdict),
        )
    return table


def _lines(result: Result) -> RenderableType:
    """One statement where a table has no room: its identifier alone on a line, and unbroken."""
    verdict, statement = result.verdict, result.run.statement
    label = _label(result)
    if result.documented_erratum:
        label.append(", known erratum", style="not bold dim")
    rows: list[tuple[str, str | Text]] = [("verdict", label)]
    rows += [("source", statement.source)] if statement.source else []
    rows += [("tested on", ", ".join(_tested(result).split("\n")))]
    rows += [("hypotheses", _hypotheses(verdict))]
    if verdict.estimates:
        rows += [("claim", claim_lines(verdict))]
    else:
        rows += [("conclusion", ", ".join(_conclusion(verdict).split("\n")))]
        rows += [("failures", ", ".join(_measured(verdict).split("\n")))]
    return Group(Words(Text(statement.id, style="bold")), *labelled(rows), Text())


def verify_table(results: Sequence[Result], *, why: bool = False) -> Group:
    """The table of `verify`, the reasons behind every verdict that is not plain, and a summary.

    Args:
      results: of all statements.
      why: whether there are reasons for consistent verdicts, too.
    """
    parts: list[RenderableType] = [_Rows(results)]
    parts += _notes(results, why=why)
    counts = Counter(result.verdict.verdict for result in results)
    for verdict, meaning in MEANINGS.items():
        if counts[verdict]:
            line = Text(f"{counts[verdict]:3d} ").append(verdict, style=COLOURS[verdict])
            parts.append(line.append(f": {meaning}", style="dim"))
    if results:
        level = results[0].verdict.level
        parts.append(
            Text(
                f"Confidence limits at {100 * (1 - level):.4g} % each, {level:.2g} the false-alarm "
                f"rate of each statement{_when(results)}; detects: the failure rate that these "
                f"draws show with 95 % probability. Seed {results[0].seed}.",
                style="dim",
            )
        )
    parts.append(Text(environment.line(), style="dim"))
    return Group(*parts)


def _when(results: Sequence[Result]) -> str:
    """Which kind of level holds."""
    if any(result.verdict.anytime for result in results):
        return " whenever the draws end"
    return " at a number of draws fixed beforehand"


def _notes(results: Sequence[Result], *, why: bool = False) -> list[Text]:
    """Why a verdict is not "consistent" or a bound loose, open constants, caveats about sources."""
    reasons, loose, constants, remarks = [], [], [], []
    caveats: dict[str, dict[str, None]] = {}  # caveat → identifiers, each once and in order
    for result in results:
        verdict, statement = result.verdict, result.run.statement
        remarks += [_about(result).append(note) for note in verdict.notes]
        if verdict.estimated:
            names = ", ".join(verdict.estimated)
            remarks.append(_about(result).append(f"numerical errors are estimated of: {names}"))
        if why or verdict.verdict != "consistent":
            note = _about(result).append(verdict.verdict, style=COLOURS[verdict.verdict])
            note.append(f": {verdict.reason}")
            if result.documented_erratum:
                note.append(f" (docs/errata.md#{statement.erratum})")
            if statement.caveat:
                note.append(f" ({statement.caveat})")
            reasons.append(note)
        if statement.caveat:
            caveats.setdefault(statement.caveat, {})[statement.id] = None
        if verdict.tightness is not None and verdict.tightness > LOOSE:
            reason = statement.loose or "no reason is stated"
            loose.append(_about(result).append(f"{number_text(verdict.tightness)}×: {reason}"))
        if verdict.constant is not None:
            smallest, largest = (number_text(c) for c in verdict.constant)
            note = f"no draw contradicts C = {smallest}, tested up to {largest}"
            constants.append(_about(result).append(note))
    notes = []
    for title, lines in (
        ("Why", reasons),
        (f"Bounds more than {LOOSE} times the observed quantile", loose),
        ("Open constants", constants),
        ("Notes", remarks),
        ("Sources", [Text(f"  {', '.join(ids)}: {caveat}") for caveat, ids in caveats.items()]),
    ):
        if lines:
            notes += [Text(title, style="bold"), *lines, Text()]
    return notes


def _about(result: Result) -> Text:
    """Identifier of the statement, and where it ran if not on its defaults."""
    data_set = getattr(result.run.config, "data", "")
    where = f" on {data_set}" if isinstance(data_set, Dataset) else ""
    where += f" ({result.run.case})" if result.run.case else ""
    return Text(f"  {result.verdict.id}{where}: ")
