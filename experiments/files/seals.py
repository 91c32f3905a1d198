"""Objects of JSON that carry a digest of themselves, by which damage is noticed.

It guards against accidents alone: whoever changes a file on purpose can make a new one.
"""

import hashlib
import json

from experiments.files import forms, reading
from experiments.files.forms import Form
from experiments.files.reading import Malformed, Path, Unreadable
from experiments.files.strict_json import LARGEST, Json, Record, parse

FORMAT = 2  # of everything that is sealed; to be raised with any change of what is written


def digest(content: Record) -> str:
    """SHA-256 of an object."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def sealed(content: Record) -> Record:
    """The object as JSON reads it, with format and digest. ValueError for NaN and infinity."""
    content = {"format": FORMAT} | {k: v for k, v in content.items() if k != "format"}
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    plain = json.loads(text.encode(errors="replace"))  # halves of pairs, as in names of files
    return plain | {"digest": digest(plain)}


def unsealed(data: bytes, path: Path) -> Record:
    """The object of a text, with its format and without its digest.

    Args:
      data: the text.
      path: the file that it is from, for errors.

    Raises:
      Unreadable: for another format than ours.
      Malformed: for what is no object of JSON, or has another digest than it says.
    """
    content: Json = parse(data)
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise Malformed("it states no format")
    if content["format"] != FORMAT:
        raise Unreadable(
            f"{path} cannot be read: it has format {content['format']!r:.20}, and this version of "
            f"widetheory reads {FORMAT}"
        )
    stated = content.pop("digest", None)
    if stated != digest(content):
        raise Malformed("its digest is not that of its content")
    return content


def load(path: Path, form: Form, verb: str) -> Record:
    """The object in a file that a verb has stored, without its digest.

    Args:
      path: the file.
      form: that the object must have.
      verb: which stored it, for errors.

    Raises:
      Unreadable: where the system does not give the file, or it has another format than ours.
      ValueError: in one line, for what is too large, no such object, or not what was stored.
    """
    try:
        content = unsealed(reading.content(path, LARGEST), path)
        forms.check(content, form)
    except Malformed as error:
        raise ValueError(f"{path} must be JSON of `widetheory {verb}`: {error}") from error
    return content
