"""What is written into docs/ and README by scripts, and what the site is made with.

Tables of statements, the map from papers, gallery, coverage and schemas: every script rewrites the
part between its markers, and tests fail where that is out of date. `site` is the extension of
Sphinx, with `mathematics` for formulas and `api` for the names of Python.
"""
