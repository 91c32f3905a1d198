"""The JSON Schemas in docs/reference/, written from the forms that our own readers demand.

`python3 -m experiments.documentation.schemas` rewrites them; a test fails where they are out of
date.
"""

import json
import pathlib
import sys

from experiments.documentation.statements import DOCS
from experiments.results import schemas


def outdated(docs: pathlib.Path = DOCS) -> dict[pathlib.Path, str]:
    """File → text as it should be, for every schema that is missing or out of date."""
    found = {}
    for verb in schemas.FORMS:
        path = docs / "reference" / f"{verb}-1.schema.json"
        text = json.dumps(schemas.schema(verb), indent=2, ensure_ascii=False) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            found[path] = text
    return found


def main() -> int:
    """Rewrites those that are out of date."""
    for path, text in outdated().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"rewrote {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
