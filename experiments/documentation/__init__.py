"""What is written into docs/ and README by scripts: tables of statements, gallery, coverage.

Every script rewrites the part between its markers; tests fail where that is out of date.
"""
