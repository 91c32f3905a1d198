"""What the site makes of pages that GitHub shows as well."""

from experiments.documentation import site


def test_files_are_named_above_their_blocks():
    text = 'a\n\n```python title="lemma.py"\nx = 1\n```\n\n```sh\nls\n```\n'
    assert site.with_captions(text) == (
        "a\n\n```{code-block} python\n:caption: lemma.py\n\nx = 1\n```\n\n```sh\nls\n```\n"
    )
