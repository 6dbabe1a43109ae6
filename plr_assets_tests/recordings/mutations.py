"""Ways in which a recording's file gets damaged between device and import, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Mutation = Callable[[bytes, Random], bytes]
SEPARATORS = (b";", b"\t", b" ", b"|", b",", b" , ")


def _lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def _some_rows(content: bytes, random: Random, change: Callable[[bytes], bytes]) -> bytes:
    lines = _lines(content)
    for _ in range(random.randint(1, 5)):
        index = random.randrange(len(lines))
        lines[index] = change(lines[index])
    return b"".join(lines)


def truncated_rows(content: bytes, random: Random) -> bytes:
    return _some_rows(content, random, lambda row: row[: random.randrange(len(row) + 1)].rstrip(b"\r\n") + b"\n")


def _columns(content: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    return b"".join(b",".join(change(row.rstrip(b"\r\n").split(b","))) + b"\n" for row in _lines(content))


def swapped_columns(content: bytes, random: Random) -> bytes:
    width = min(_lines(content)[0].count(b","), 13)
    first, second = random.sample(range(width), 2)

    def swap(row: list[bytes]) -> list[bytes]:
        row[first], row[second] = row[second], row[first]
        return row

    return _columns(content, swap)


def missing_column(content: bytes, random: Random) -> bytes:
    gone = random.randrange(min(_lines(content)[0].count(b","), 15))
    return _columns(content, lambda row: row[:gone] + row[gone + 1 :])


def added_column(content: bytes, random: Random) -> bytes:
    at = random.randrange(min(_lines(content)[0].count(b","), 15))
    return _columns(content, lambda row: [*row[:at], b" 1", *row[at:]])


def other_separator(content: bytes, random: Random) -> bytes:
    return content.replace(random.choice((b", ", b",")), random.choice(SEPARATORS))


def decimal_commas(content: bytes, _random: Random) -> bytes:
    return content.replace(b".", b",")


def header_present(content: bytes, random: Random) -> bytes:
    return random.choice((b"frame, time, pupil\n", b"time,pupil\n", b"# export\n", b"\n", b"PLR, 1, 2\n")) + content


def zero_bytes(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content))
    return content[:at] + b"\0" * random.randint(1, 2000) + content[at:]


def other_encoding(content: bytes, random: Random) -> bytes:
    encoding = random.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037"))
    return content.decode("latin-1").encode(encoding)


def backwards(content: bytes, random: Random) -> bytes:
    lines = _lines(content)
    at = random.randrange(len(lines) - 2)
    end = random.randint(at + 2, len(lines))
    return b"".join([*lines[:at], *reversed(lines[at:end]), *lines[end:]])


def duplicate_rows(content: bytes, random: Random) -> bytes:
    lines = _lines(content)
    at = random.randrange(len(lines))
    return b"".join([*lines[:at], *lines[at : at + random.randint(1, 40)], *lines[at:]])


def missing_rows(content: bytes, random: Random) -> bytes:
    lines = _lines(content)
    at = random.randrange(len(lines))
    return b"".join([*lines[:at], *lines[at + random.randint(1, 400) :]])


def half(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content))
    return random.choice((content[:at], content[at:]))


def empty(_content: bytes, random: Random) -> bytes:
    return random.choice((b"", b" ", b"\n\n\n", b"\r\n", b"\xef\xbb\xbf"))


def garbage(_content: bytes, random: Random) -> bytes:
    return random.choice(
        (random.randbytes(random.randint(1, 20_000)), b"," * 70_000, b"0" * 70_000, b"\n" * 70_000 + b"1")
    )


def magic(content: bytes, random: Random) -> bytes:
    """Something else that says it is a database."""
    start = random.choice((b"PAR1", b"SQLite format 3\0", b"\0" * 8 + b"DUCK", b"PK\x03\x04"))
    return start + random.choice((b"", content, random.randbytes(5_000))) + random.choice((b"", b"PAR1"))


def noise(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(changed))
        changed[at : at + random.randint(0, 8)] = random.choice(
            (random.randbytes(3), b"\n", b",", b"-", b".", b'"', b"")
        )
    return bytes(changed)


def digits(content: bytes, random: Random) -> bytes:
    """Values that change and stay numbers: nobody can tell, and they are imported as they stand."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(changed))
        if chr(changed[at]).isdigit():
            changed[at] = random.choice(b"0123456789")
    return bytes(changed)


def windows_line_ends(content: bytes, _random: Random) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _scaled(content: bytes, column: int, factor: float) -> bytes:
    def scale(row: list[bytes]) -> list[bytes]:
        try:
            row[column] = b" %.2f" % (float(row[column]) * factor)
        except (ValueError, IndexError):
            return row
        return row

    return _columns(content, scale)


def millimetres(content: bytes, _random: Random) -> bytes:
    return _scaled(content, 2, 0.1)


def milliseconds(content: bytes, _random: Random) -> bytes:
    return _scaled(content, 1, 1000)


def other_protocol(content: bytes, random: Random) -> bytes:
    """White light, no light, or red first."""
    which = random.choice(("white", "dark", "red"))

    def change(row: list[bytes]) -> list[bytes]:
        if len(row) > 12:
            red, blue = row[9], row[11]
            lit = max(red, blue, key=len)
            row[9], row[11] = {"white": (lit, lit), "dark": (b" 0", b" 0"), "red": (blue, red)}[which]
        return row

    return _columns(content, change)


MUTATIONS: tuple[Mutation, ...] = (
    truncated_rows, swapped_columns, missing_column, added_column, other_separator, decimal_commas, header_present,
    zero_bytes, other_encoding, backwards, duplicate_rows, missing_rows, half, empty, garbage, magic, noise, digits,
    windows_line_ends, millimetres, milliseconds, other_protocol,
)  # fmt: skip
# They change what stands in certain columns, by number.
OF_DEVICE_FILES = (millimetres, milliseconds, other_protocol)
