"""IDX files, the format of MNIST: a magic number, the sizes, and one byte for each entry."""

import gzip
import io
import math
import zlib

import numpy as np

_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08


def parse(content: bytes, file: str, dimensions: int) -> np.ndarray:
    """The array of unsigned bytes that an IDX file holds.

    The file is `00 00 08 D`, D sizes of four bytes each with the highest byte first, and as many
    bytes as their product.

    Args:
      content: all of the file, unpacked.
      file: its name, for errors.
      dimensions: D, 3 for images and 1 for labels.

    Returns:
      The array, uint8, of D dimensions, which may be empty.

    Raises:
      ValueError: for another magic number, or a length that is not the header's.

    Source: Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits.
    """
    sizes = promised(content, file, dimensions)
    header = header_size(dimensions)
    if len(content) - header != math.prod(sizes):
        raise ValueError(
            f"{file}: its header promises {' × '.join(f'{s:,}' for s in sizes)} bytes, "
            f"but {len(content) - header:,} follow it"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(sizes)


def header_size(dimensions: int) -> int:
    """Bytes before the entries."""
    return 4 * (1 + dimensions)


def promised(content: bytes, file: str, dimensions: int) -> tuple[int, ...]:
    """The sizes in a header, of which `content` is the beginning at least.

    Raises:
      ValueError: for another magic number, or less than a header.
    """
    header = header_size(dimensions)
    expected = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if content[:4] != expected:
        packed = " (it is packed by gzip: let its name end in .gz)" if is_gzip(content) else ""
        raise ValueError(
            f"{file}: must begin with the magic number 0x{expected.hex()} of an IDX file of bytes "
            f"in {dimensions} dimension{'s' * (dimensions > 1)}, got 0x{content[:4].hex()}{packed}"
        )
    if len(content) < header:
        raise ValueError(f"{file}: ends within its header of {header} bytes, after {len(content)}")
    return tuple(int(size) for size in np.frombuffer(content[4:header], ">u4"))


def is_gzip(content: bytes) -> bool:
    """Whether the bytes begin as a gzip file does."""
    return content.startswith(_GZIP)


def unpack(content: bytes, file: str, most: int) -> bytes:
    """What a gzip file holds, and no more than one byte above `most`, by which the rest is noticed.

    Raises:
      ValueError: if it is none, is cut off, or fails its own checksum.
    """
    if not is_gzip(content):
        raise ValueError(f"{file}: is named .gz, but is not packed by gzip")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as unpacked:
            return unpacked.read(most + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{file}: is cut off or damaged, gzip says: {error}") from error
