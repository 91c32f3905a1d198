"""Pickles that are there to harm, cut off or damaged, and none of them a batch of CIFAR-10."""

import struct
from collections.abc import Iterator

import image_writers

COLOUR, COLOUR_LABELS = image_writers.random_images(1, 3, 32, 32, 3)
BATCH = image_writers.cifar_python_2(COLOUR, COLOUR_LABELS)


def _exponential() -> bytes:
    """A key whose hash looks at 2^40 tuples: (((…), (…)), ((…), (…)))."""
    return b"\x80\x02}" + b"N\x85" + b"2\x86" * 40 + b"Ns."


def _exponential_by_memo() -> bytes:
    tuples = b"".join(b"q" + bytes([k]) + b"h" + bytes([k]) + b"\x86" for k in range(40))
    return b"\x80\x02}N\x85" + tuples + b"Ns."


def pickles() -> Iterator[tuple[str, bytes]]:
    two = b"\x80\x02"
    yield "a memo of 2^31", two + b"Nr\xff\xff\xff\x7f."
    yield "a memo of 2^32", two + b"Nr\xff\xff\xff\xff."
    yield "a memo in text", b"Np99999999999\n."
    yield "keys that never end", _exponential()
    yield "keys that never end, by memo", _exponential_by_memo()
    yield "labels that are 2^40 lists", two + b"}U\x06labels]" + b"q\0]h\0ah\0a" * 20 + b"s."
    yield "a list in itself", two + b"}U\x06labels]q\0h\0as."
    yield "a dictionary in itself", two + b"}q\0U\x04datah\0s."
    yield "tuples within tuples", two + b"N" + b"\x85" * 500_000 + b"."
    yield "lists within lists", two + b"]" * 500_000 + b"a" * 499_999 + b"."
    yield "marks alone", two + b"(" * 1_000_000 + b"t" * 999_999 + b"."
    yield "two million instructions", two + b"N0" * 1_000_000 + b"N."
    yield "two million nothings", two + b"N" * 2_000_000 + b"."
    yield "a list as a key", two + b"}]Ns."
    yield "a tuple as a key", two + b"}N\x85Ns."
    yield "an array as a key", two + b"}cnumpy\nndarray\n)RNs."
    yield "bytes of 2^62", b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x."
    yield "text of 2^62", b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x."
    yield "an array of 2^62", b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"x."
    yield "a negative length", two + b"T\xff\xff\xff\xff."
    yield "a frame of 2^63", b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b"N."
    yield "an integer of 2^2040", two + b"\x8a\xff" + b"\x7f" * 255 + b"."
    yield "an integer of a megabyte", two + b"\x8b" + struct.pack("<i", 2**20) + bytes(2**20) + b"."
    yield "digits", b"L" + b"9" * 100_000 + b"L\n."
    yield "no UTF-8", two + b"X\x02\0\0\0\xff\xff."
    for name in ("os system", "builtins eval", "numpy load", "copyreg _reconstructor"):
        yield f"asks for {name}", two + b"c" + name.replace(" ", "\n").encode() + b"\n)R."
    yield "asks by two texts", b"\x80\x04\x8c\x02os\x8c\x06system\x93)R."
    yield "asks by two numbers", b"\x80\x04K\x01K\x02\x93)R."
    yield "an instance", b"(ios\nsystem\n."
    yield "an object", b"(cos\nsystem\no."
    yield "a new object", two + b"cnumpy\nndarray\n)\x81."
    yield "an extension", two + b"\x82\x01."
    yield "something kept elsewhere", b"Pmine\n."
    yield "a buffer kept elsewhere", b"\x80\x05\x97."
    yield "calls a list", two + b"])R."
    yield "calls without a tuple", two + b"cnumpy\nndarray\nNR."
    yield "builds a dictionary", two + b"}Nb."
    yield "an empty stack", two + b"."
    yield "nothing to put", two + b"q\0."
    yield "nothing put there", two + b"h\x07."
    yield "no mark", two + b"t."
    yield "one item of two", two + b"}(Nu."
    yield "appends to nothing", two + b"NNa."
    yield "no end", two + b"}"
    yield "nothing", b""
    yield "protocol 200", b"\x80\xc8N."
    yield "an unknown instruction", two + b"\xff."
    shape = struct.pack("<i", 3) + b"J" + struct.pack("<i", 3072)
    for name, other in {"2^31": (2**31 - 1, 2**31 - 1), "negative": (-3, -3072)}.items():
        wrong = struct.pack("<i", other[0]) + b"J" + struct.pack("<i", other[1])
        yield f"an array of {name}", BATCH.replace(shape, wrong)
    yield "no images", image_writers.cifar_python_2(COLOUR[:0], COLOUR_LABELS[:0])
    yield "labels alone", two + b"}U\x06labels]s."
    for tenth in range(1, 10):
        yield f"cut at {tenth}/10", BATCH[: len(BATCH) * tenth // 10]
    yield "a bit of its shape", BATCH.replace(shape, b"\x07" + shape[1:])
