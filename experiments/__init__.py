"""Everything with side effects: the command, data files, results, tables. Imports `theory`."""
