"""Captions of at most 80 words: what a reader needs first, and the rest as details."""

import re

MOST = 80  # words of a caption
DETAILS = "**Details.** "
# Where a sentence ends: not after these, and before what begins another one.
_ENDS = re.compile(r"(?<!\bal\.)(?<!\beq\.)(?<!\bFig\.)(?<!\bcf\.)(?<=[.!?])\s+(?=[A-ZΑ-Ω(0-9‖|])")


def shortened(text: str) -> str:
    """A text in two paragraphs: as many of its first sentences as are short enough, and the rest.

    Paragraphs after the first are left as they are. A text whose first sentence alone is too long
    is left as it is, too: better long than broken.
    """
    first, gap, more = text.partition("\n\n")
    sentences = _ENDS.split(first)
    shown, words = 0, 0
    for sentence in sentences:
        words += len(sentence.split())
        if words > MOST:
            break
        shown += 1
    if shown in (0, len(sentences)):
        return text
    head, rest = " ".join(sentences[:shown]), " ".join(sentences[shown:])
    return f"{head}\n\n{DETAILS}{rest}{gap}{more}"
