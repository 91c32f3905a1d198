"""The report as one page of HTML that loads nothing, runs no script but its own, and needs none."""

import base64
import functools
import hashlib
import pathlib
import re
from collections import Counter

import jinja2
import numpy as np
from markupsafe import Markup

from experiments.report.document import charts, checklist, mathematics
from experiments.report.document.contents import Entry, Report, limits_text
from experiments.report.words import MEANINGS, number_text
from theory._wording import counted

TEMPLATES = pathlib.Path(__file__).parent / "templates"
WORDS = {"erratum": "known erratum", **{name: name for name in MEANINGS}}  # of badges, in order
SAYS = MEANINGS | {"erratum": "refuted, and known to be wrong as printed"}
ORDER = ("refuted", "inconclusive", "vacuous", "erratum", "consistent")  # what is to be read first
MOST_CLAIMS = 6  # whose draws are drawn


def html(report: Report) -> str:
    """The whole page."""
    style, script = (_text(name) for name in ("report.css", "report.js"))
    return environment().get_template("report.html.j2").render(
        report=report,
        answers=checklist.answers(report),
        counts=counts(report),
        attention=attention(report),
        said=summary(report),
        words=WORDS,
        says=SAYS,
        style=Markup(style),
        script=Markup(script),
        style_digest=_digest(style),
        script_digest=_digest(script),
    )  # fmt: skip


@functools.cache
def environment() -> jinja2.Environment:
    """Templates, whose values are escaped and may not be missing."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["mathematics"] = _mathematics
    found.filters["drawn"] = lambda chart: Markup(chart.drawn)
    found.filters["data_uri"] = _data_uri
    found.filters["breakable"] = _breakable
    found.globals |= {
        "outcomes": lambda entry: charts.outcomes(entry.stored["outcomes"]),
        "intervals": _intervals,
        "kept": _kept,
        "measured": measured,
        "met": met,
    }
    return found


def counts(report: Report) -> dict[str, int]:
    """Verdict → how many statements, in the order in which they are to be read."""
    found = Counter(entry.verdict for entry in report.entries)
    return {name: found[name] for name in ORDER if found[name]}


def attention(report: Report) -> list[Entry]:
    """What is neither consistent nor a known erratum, what is refuted first."""
    chosen = [entry for entry in report.entries if entry.verdict not in ("consistent", "erratum")]
    return sorted(chosen, key=lambda entry: ORDER.index(entry.verdict))


def summary(report: Report) -> str:
    """The sentence that stands first."""
    found = counts(report)
    if not report.entries:
        return "No statement was verified on its own here; what was computed stands below."
    names = WORDS | {"erratum": "known errata" if found.get("erratum", 0) > 1 else "known erratum"}
    parts = [f"{number} {names[name]}" for name, number in reversed(found.items())]
    total = counted(len(report.entries), "statement")
    refuted = found.get("refuted", 0)
    last = (
        f"{refuted} of them {'are' if refuted > 1 else 'is'} refuted without being a known erratum"
        if refuted
        else "none is refuted beyond known errata"
    )
    draws = sum(entry.stored["draws"] for entry in report.entries)
    return f"{total} checked over {counted(draws, 'draw')}: {', '.join(parts)}; {last}."


def measured(entry: Entry) -> tuple[str, str]:
    """What was measured and what is claimed, for a line of the table."""
    stored = entry.stored
    if stored["estimates"]:
        decisive = [e for e in stored["estimates"] if e["verdict"] == stored["verdict"]]
        one = (decisive or stored["estimates"])[0]
        more = f" (and {len(stored['estimates']) - 1} more)" * (len(stored["estimates"]) > 1)
        side = {"equal": "=", "at most": "≤", "at least": "≥"}[one["side"]]
        return f"{number_text(one['observed'])}{more}", f"{side} {number_text(one['claimed'])}"
    rate = stored["failure_rate"]
    if rate is None:
        return "not tested", ""
    allowed = "never" if stored["kind"] == "deterministic" else f"≤ {number_text(rate['allowed'])}"
    return f"fails {number_text(rate['observed'])}", allowed


def met(entry: Entry) -> str:
    """In how many draws the hypothesis held that held in fewest, in percent; empty without any."""
    shares = [one["met"] / entry.stored["draws"] for one in entry.stored["hypotheses"].values()]
    return f"{100 * min(shares):.3g} %" if shares else "none needed"


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _mathematics(text: str) -> Markup:
    return Markup("".join(map(mathematics.mathml, mathematics.pieces(text))))


def _breakable(name: str) -> Markup:
    """A name that may go on in the next line behind each dot."""
    return Markup("<wbr>").join(part for part in re.findall(r"[^.]*\.|[^.]+", name))


def _data_uri(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def _intervals(entry: Entry) -> list[charts.Chart]:
    """Each confidence interval against its claim."""
    stored = entry.stored
    found = []
    if (rate := stored["failure_rate"]) is not None:
        allowed = 0.0 if stored["kind"] == "deterministic" else rate["allowed"] or 0.0
        chart = charts.interval(rate["low"], rate["observed"], rate["high"], allowed)
        said = f"failure rate {limits_text(rate)}, allowed {number_text(allowed)}"
        found.append(charts.Chart(said, chart))
    for one in stored["estimates"][:MOST_CLAIMS]:
        if one["claimed"] is not None:
            ends = one["low"], one["observed"], one["high"]
            chart = charts.interval(*ends, one["claimed"], one["tolerance"] or 0.0)
            said = f"{one['name']} {limits_text(one)}, claimed {number_text(one['claimed'])}"
            found.append(charts.Chart(said, chart))
    return [chart for chart in found if chart.drawn]


def _kept(entry: Entry) -> list[charts.Chart]:
    """What was measured in each draw."""
    draws = entry.draws
    if draws is None:
        return []
    stored, found = entry.stored, []
    if draws.conclusion is not None:
        found.append(charts.margins(draws.conclusion, "conclusion", stored["unit"]))
    for role, group in (("hypotheses", draws.hypotheses), ("measured", draws.measured)):
        for name, margin in group.items():
            unit = stored[role].get(name, {"unit": "1"})["unit"]
            found.append(charts.margins(margin, name, unit))
    if draws.quantity is not None:
        found += _quantities(entry, draws.quantity, draws.scales)
    return [chart for chart in found if chart is not None]


def _quantities(
    entry: Entry, quantity: np.ndarray, scales: np.ndarray | None
) -> list[charts.Chart | None]:
    """The quantity, (draws, …) with an axis of claims if there are several and one of scales."""
    claims = entry.stored["estimates"]
    with_claims = quantity.ndim > (1 if scales is None else 2)
    found = []
    for place, one in enumerate(claims[:MOST_CLAIMS]):
        values = quantity[:, place] if with_claims else quantity
        if scales is not None:
            found.append(charts.scaling(scales, values, one["name"]))
        else:
            found.append(charts.quantity(values, one["claimed"], one["name"]))
    return found
