"""Files are written whole or not at all."""

import pytest

from medvae.errors import UserError
from medvae.files import atomic_path, digest, write_json, write_text
from medvae.inputs import read_text


def cut_short(path):
    with atomic_path(path) as partial:
        partial.write_text("half")
        raise RuntimeError("cut")


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="cut"):
        cut_short(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_nan_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_digest_is_sha256(tmp_path):
    write_text(tmp_path / "a", "abc")
    assert digest(tmp_path / "a").startswith("ba7816bf8f01cfea")


def test_a_file_larger_than_is_read_is_named_with_its_size(tmp_path):
    (tmp_path / "a.json").write_text("123456789")
    assert read_text(tmp_path / "a.json", 9) == "123456789"
    with pytest.raises(UserError, match=r"a\.json: 9 bytes, but at most 8 are read"):
        read_text(tmp_path / "a.json", 8)
