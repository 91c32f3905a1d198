"""Our docstrings as Markdown: prose and formulas in plain Unicode, sections that list what is what.

A docstring is not markup, so that nothing in it may be read as such: |x|, a*b and x_ stay.
"""

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Source|Example):\n")
ITEM = re.compile(r"(\*{0,2}[A-Za-z_][\w.]*(?:, \*{0,2}[A-Za-z_]\w*)*): ")
MARKUP = re.compile(r"([\\*_<>\[\]{}$|~#])")
FENCE = "```"
Code: TypeAlias = Callable[[str], str]  # what stands between backticks → Markdown


def markdown(docstring: str, code: Code = "`{}`".format) -> str:
    """A docstring in the house's style as Markdown.

    Args:
      docstring: paragraphs, formulas indented, and sections, as `theory` has them.
      code: what stands between backticks → Markdown.
    """
    return "\n\n".join(_block(block, code) for block in _blocks(inspect.cleandoc(docstring)))


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs; those of a section are indented, and stay with it."""
    held = ""
    for part in re.split(r"\n\s*\n", text):
        if held and part.startswith("  "):
            held += f"\n\n{part}"
            continue
        if held:
            yield held
        held = part if SECTION.match(part) else ""
        if not held:
            yield part
    if held:
        yield held


def _block(block: str, code: Code) -> str:
    if found := SECTION.match(block):
        return f"**{found[1]}**\n\n{_section(found[1], block[found.end() :], code)}"
    lines = block.split("\n")
    if lines[0].startswith(" "):
        return f"{FENCE}text\n{textwrap.dedent(block)}\n{FENCE}"
    if all(ITEM.match(line) for line in lines if not line.startswith(" ")):
        return _items(lines, code)
    return _prose(lines, code)


def _section(name: str, body: str, code: Code) -> str:
    text = textwrap.dedent(body)
    if name == "Example":
        return f"{FENCE}pycon\n{text}\n{FENCE}"
    if name in ("Args", "Attributes", "Raises"):
        return _items(text.split("\n"), code)
    return "\n\n".join(_prose(part.split("\n"), code) for part in re.split(r"\n\s*\n", text))


def _items(lines: Iterable[str], code: Code) -> str:
    """`name: text`, each with the lines indented under it, as a list."""
    items: list[list[str]] = []
    for line in lines:
        if line.strip() and not line.startswith(" "):
            items.append([line])
        elif line.strip():
            items[-1].append(line)
    return "\n".join(f"- {_item(item, code)}" for item in items)


def _item(lines: list[str], code: Code) -> str:
    found = ITEM.match(lines[0])
    if not found:
        return _prose(lines, code)
    names = ", ".join(f"`{name}`" for name in found[1].split(", "))
    return f"{names}: {_prose([lines[0][found.end() :], *lines[1:]], code)}"


def _prose(lines: Iterable[str], code: Code) -> str:
    """On one line, so that none can begin like a list."""
    parts = re.split(r"`([^`]*)`", " ".join(line.strip() for line in lines))
    shown = [
        code(part) if place % 2 else MARKUP.sub(r"\\\1", part) for place, part in enumerate(parts)
    ]
    return "".join(shown)
