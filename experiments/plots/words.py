"""Words in pictures: those of a user's are shown as they are, and broken where there is no room."""

import textwrap


def plain(text: str) -> str:
    """A text that matplotlib takes for no formula, in one line."""
    return " ".join(text.split()).replace("$", r"\$")


def folded(text: str, width: int, lines: int = 3) -> str:
    """A text in lines of a width, the last with … where it is longer than all of them."""
    found = textwrap.wrap(" ".join(text.split()), width, max_lines=lines, placeholder=" …")
    return "\n".join(plain(line) for line in found)


def short(text: str, width: int) -> str:
    """A text in one line of a width, its middle left out where it is longer."""
    text = " ".join(text.split())
    if len(text) > width:
        text = f"{text[: (width - 1) // 2]}…{text[len(text) - width // 2 :]}"
    return plain(text)
