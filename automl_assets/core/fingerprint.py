"""Stable hashes of values, files and steps: what decides whether work has already been done."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DIGEST_BYTES = 16
READ_BYTES = 1 << 20


def canonical_json(value: Any) -> str:
    """`value` as JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=True)


def digest_of(value: Any) -> str:
    """The 128-bit BLAKE2b of a JSON-able value, as 32 hexadecimal digits."""
    return hashlib.blake2b(canonical_json(value).encode(), digest_size=DIGEST_BYTES).hexdigest()


def digest_of_file(path: Path) -> str:
    """The 128-bit BLAKE2b of a file's bytes, read in pieces of 1 MiB."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def sha256_of_file(path: Path) -> str:
    """The SHA-256 of a file's bytes: what a registered model's checksums are made of."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(step: str, *, inputs: Mapping[str, str], config: Any, code_version: str, seed: int) -> str:
    """What identifies a step's result before it is computed.

    Args:
        step: the asset's name.
        inputs: each input's name and version.
        config: the sections of the configuration that the step reads, as JSON-able values.
        code_version: raised by hand whenever the step's code gives another result for the same inputs.
        seed: the pipeline's seed.
    """
    return digest_of(
        {"step": step, "inputs": dict(inputs), "config": config, "code_version": code_version, "seed": seed}
    )
