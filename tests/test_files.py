"""Output files appear whole or not at all."""

from __future__ import annotations

import pytest

from core.errors import UserError
from core.files import whole_file, write_text


def test_a_finished_file_takes_its_name(tmp_path):
    write_text(tmp_path / "out.json", "{}\u00e9")
    assert (tmp_path / "out.json").read_text("utf-8") == "{}\u00e9"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_a_failure_keeps_the_earlier_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("earlier")
    with pytest.raises(ZeroDivisionError), whole_file(path) as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_nothing_is_seen_before_the_end(tmp_path):
    path = tmp_path / "out.json"
    with whole_file(path) as part:
        part.write_text("all")
        assert not path.exists()
    assert path.read_text() == "all"


@pytest.mark.parametrize("name", ["no/such/folder/out.json", "."])
def test_where_it_cannot_be_written(tmp_path, name):
    with pytest.raises(UserError, match="cannot be written"):
        write_text(tmp_path / name, "x")
