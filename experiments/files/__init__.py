"""Files that anyone may have written, read within bounds; and files that are written whole.

A file is **unreadable** where the system does not give it, for which it may be whole, and
**malformed** where it is not what it should be. `reading` tells the two apart for all others;
`writing` leaves none in part.
"""
