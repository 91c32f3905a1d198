"""IDX files, the format of MNIST: a magic number, the sizes, and one byte for each entry."""

import gzip
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
    header = 4 * (1 + dimensions)
    expected = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if content[:4] != expected:
        packed = " (it is packed by gzip: let its name end in .gz)" if is_gzip(content) else ""
        raise ValueError(
            f"{file}: must begin with the magic number 0x{expected.hex()} of an IDX file of bytes "
            f"in {dimensions} dimension{'s' * (dimensions > 1)}, got 0x{content[:4].hex()}{packed}"
        )
    if len(content) < header:
        raise ValueError(f"{file}: ends within its header of {header} bytes, after {len(content)}")
    sizes = tuple(int(size) for size in np.frombuffer(content[4:header], ">u4"))
    size = math.prod(sizes)
    if len(content) - header != size:
        raise ValueError(
            f"{file}: its header promises {' × '.join(f'{s:,}' for s in sizes)} bytes, "
            f"but {len(content) - header:,} follow it"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(sizes)


def is_gzip(content: bytes) -> bool:
    """Whether the bytes begin as a gzip file does."""
    return content.startswith(_GZIP)


def unpack(content: bytes, file: str) -> bytes:
    """What a gzip file holds. ValueError if it is none, is cut off, or fails its own checksum."""
    if not is_gzip(content):
        raise ValueError(f"{file}: is named .gz, but is not packed by gzip")
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{file}: is cut off or damaged, gzip says: {error}") from error
