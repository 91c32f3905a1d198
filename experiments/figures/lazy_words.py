"""Sentences that captions of K24b's figures share."""

import numpy as np
import pandas as pd


def data_words(queries: int) -> str:
    """The laws of points and test points."""
    return (
        "Shifted Gaussian: x ~ N(±0.3·1, I) for labels ±1, "
        f"{queries} test points of the same law. Gaussian: x ~ N(0, I) with labels independent of "
        "x, of which nothing can be known elsewhere: test points are the first "
        f"{queries} training points of f (all, if these are fewer), as for K24a."
    )


def compared(table: pd.DataFrame) -> str:
    """How many measured means are near the prediction, filled and hollow."""
    difference, error = table["difference"].abs(), table["difference_error"]
    beyond = difference > 2 * error
    shares = []
    for held, name in ((True, "filled"), (False, "hollow")):
        rows = table["held"] == held
        if rows.any():
            worst = np.max(np.where(rows, difference, 0))
            shares.append(
                f"{int((~beyond[rows]).sum())} of {int(rows.sum())} {name} means are within 2 "
                f"standard errors of the difference (paired by draws), the farthest {worst:.3f} off"
            )
    return f"{'; '.join(shares)}."[0].upper() + f"{'; '.join(shares)}."[1:]
