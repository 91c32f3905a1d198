"""Rows of a table by the values in its columns."""

import numpy as np
import pandas as pd


def chosen(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows whose columns have these values."""
    kept = np.ones(len(table), bool)
    for name, value in values.items():
        kept &= (table[name] == value).to_numpy(bool)
    return pd.DataFrame(table.iloc[np.flatnonzero(kept)])


def number(table: pd.DataFrame, column: str) -> float:
    """A column's value in a table of one row."""
    (value,) = table[column].to_numpy(float)
    return float(value)
