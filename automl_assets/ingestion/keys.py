"""A batch's key: its file's name as Dagster takes it, and the order of keys."""

import re

_REFUSED = re.compile("[\x00-\x1f\x7f,%\udc80-\udcff]|(?<=\\.\\.)\\.")
_ESCAPED = re.compile(r"%([0-9A-F]{2})")
_DIGITS = re.compile(r"([0-9]+)")


def key_of(name: str) -> str:
    """A file's name as a partition key: what Dagster refuses in one is percent-escaped, all else stays."""

    def escaped(found: re.Match[str]) -> str:
        code = ord(found.group())
        return f"%{code - 0xDC00 if code >= 0xDC80 else code:02X}"

    return _REFUSED.sub(escaped, name)


def name_of(key: str) -> str:
    """The file's name that `key_of` made a key of."""

    def character(found: re.Match[str]) -> str:
        code = int(found.group(1), 16)
        return chr(code + 0xDC00 if code >= 0x80 else code)

    return _ESCAPED.sub(character, key)


def natural_order(key: str) -> tuple[tuple[int, int, str], ...]:
    """What sorts names as people do: ``batch_2`` before ``batch_10``."""
    parts = _DIGITS.split(key)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part)
