"""Hashes that depend on contents alone."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.core.fingerprint import canonical_json, digest_of, digest_of_file, fingerprint, sha256_of_file

BASE = {"inputs": {"a": "1"}, "config": {"k": 1}, "code_version": "1", "seed": 0}


def test_equal_values_give_equal_text() -> None:
    assert canonical_json({"b": 1, "a": [1.5, None, "é"]}) == '{"a":[1.5,null,"é"],"b":1}'
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert digest_of([]) == hashlib.blake2b(b"[]", digest_size=16).hexdigest()


@pytest.mark.parametrize("data", [b"", b"abc", b"x" * (3 << 20)])
def test_a_file_s_digest_is_that_of_its_bytes(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f").write_bytes(data)
    assert digest_of_file(tmp_path / "f") == hashlib.blake2b(data, digest_size=16).hexdigest()
    assert sha256_of_file(tmp_path / "f") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "change",
    [{"inputs": {"a": "2"}}, {"inputs": {"b": "1"}}, {"config": {"k": 2}}, {"code_version": "2"}, {"seed": 1}],
)
def test_whatever_may_change_a_result_changes_its_fingerprint(change: dict) -> None:
    assert fingerprint("step", **BASE) == fingerprint("step", **BASE)
    assert fingerprint("step", **BASE) != fingerprint("step", **{**BASE, **change})
    assert fingerprint("step", **BASE) != fingerprint("other", **BASE)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=5))
def test_order_of_insertion_never_matters(value: dict) -> None:
    assert digest_of(value) == digest_of(dict(reversed(list(value.items()))))
