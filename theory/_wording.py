"""Numbers of things in messages."""


def counted(number: int, noun: str) -> str:
    """So many of them, of which the plural must be that with an s.

    >>> counted(1, "draw"), counted(0, "draw"), counted(1000, "fresh draw")
    ('1 draw', '0 draws', '1,000 fresh draws')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
