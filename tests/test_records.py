"""A record is believed only where it is what was written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.records import DamagedError, read_json, write_record
from bakeoff.shapes import CHECKSUM

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
)


@given(st.dictionaries(st.text().filter(lambda name: name != CHECKSUM), VALUES))
def test_what_was_written_is_read(tmp_path_factory, record):
    path = tmp_path_factory.mktemp("record") / "a.json"
    write_record(path, record)
    assert read_json(path) == record


def test_a_digit_that_is_another_is_not_believed_and_a_record_without_a_checksum_is_read(tmp_path):
    path = tmp_path / "a.json"
    write_record(path, {"loss": 1.5})
    path.write_text(path.read_text().replace("1.5", "1.6"))
    with pytest.raises(DamagedError, match=r"a\.json is damaged \(its checksum is another\): remove it and repeat"):
        read_json(path)
    path.write_text(json.dumps({"loss": 1.5}))
    assert read_json(path) == {"loss": 1.5}


@pytest.mark.parametrize("content", ["", "{", "[]", "1", "\udcff", "[" * 100_000])
def test_what_is_no_record_is_damaged(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DamagedError, match="what to do"):
        read_json(path, mend="what to do")
    with pytest.raises(DamagedError):
        read_json(tmp_path / "none.json")
    with pytest.raises(DamagedError, match="is damaged"):
        read_json(tmp_path)


def test_a_record_of_another_shape_is_damaged(tmp_path):
    path = tmp_path / "a.json"
    write_record(path, {"epochs": "two"})
    with pytest.raises(DamagedError, match="epochs"):
        read_json(path, {"epochs": lambda value: isinstance(value, int)})
