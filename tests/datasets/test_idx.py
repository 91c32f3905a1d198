"""experiments/idx.py: round trips, and files that are not what they say."""

import gzip
import re

import image_writers
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from one_line import line_of

from experiments.datasets import idx

SMALL = st.integers(1, 3).flatmap(
    lambda ndim: hnp.arrays(np.uint8, hnp.array_shapes(min_dims=ndim, max_dims=ndim, max_side=6))
)


@given(SMALL)
def test_round_trip(array):
    found = idx.parse(image_writers.idx(array), "f", array.ndim)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, array)


@given(st.binary(max_size=200), st.integers(1, 9))
def test_gzip_round_trip_and_no_part_of_it(content, level):
    packed = gzip.compress(content, level)
    assert idx.unpack(packed, "f.gz", len(content)) == content
    for cut in (len(packed) - 1, len(packed) // 2, 3):
        with pytest.raises(ValueError, match=r"^f.gz: is cut off or damaged"):
            idx.unpack(packed[:cut], "f.gz", len(content))


@given(st.data())
def test_a_changed_byte_is_noticed_by_gzip(data):
    content = bytes(range(100))
    packed = bytearray(gzip.compress(content, mtime=0))
    # from byte 10 on: the data and their checksum and length; before it, the name, time and system
    place = data.draw(st.integers(10, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    found = []
    line = line_of(lambda: found.append(idx.unpack(bytes(packed), "f.gz", 100)))
    if found:  # more than promised, before the checksum is reached
        assert len(found[0]) == 101
    else:
        assert line.startswith("f.gz: is cut off or damaged")


@given(SMALL, st.data())
def test_no_part_of_a_file_is_a_file(array, data):
    content = image_writers.idx(array)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ValueError, match=r"^f: (must begin|ends within|its header promises)"):
        idx.parse(content[:cut], "f", array.ndim)
    with pytest.raises(ValueError, match=r"^f: its header promises"):
        idx.parse(content + b"\0", "f", array.ndim)


GOOD = image_writers.idx(np.zeros((2, 3, 4), np.uint8))
BAD = {
    "labels for images": (
        image_writers.idx(np.zeros(2, np.uint8)),
        "f: must begin with the magic number 0x00000803 of an IDX file of bytes in 3 dimensions, "
        "got 0x00000801",
    ),
    "other type": (b"\0\0\x0d\x03" + GOOD[4:], "got 0x00000d03"),
    "little-endian": (b"\x03\x08\0\0" + GOOD[4:], "got 0x03080000"),
    "empty": (b"", "got 0x"),
    "packed": (gzip.compress(GOOD), "(it is packed by gzip: let its name end in .gz)"),
    "header cut off": (GOOD[:9], "f: ends within its header of 16 bytes, after 9"),
    "cut off": (GOOD[:-1], "f: its header promises 2 × 3 × 4 bytes, but 23 follow it"),
    "absurd sizes": (GOOD[:4] + b"\xff" * 12, "promises 4,294,967,295 × 4,294,967,295"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_files(name):
    content, message = BAD[name]
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        idx.parse(content, "f", 3)
    assert str(error.value).startswith("f: ")


def test_not_packed_although_named_so():
    with pytest.raises(ValueError, match=r"^f.gz: is named .gz, but is not packed by gzip$"):
        idx.unpack(GOOD, "f.gz", len(GOOD))
