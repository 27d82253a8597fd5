"""What users wrote is shown harmless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.errors import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Émile „Zola“ 字 👩‍🔬", "Émile „Zola“ 字 👩‍🔬"),
        ("red\x1b[31m\nline\x9b", r"red\x1b[31m\nline\x9b"),
        ("exe\u202efdp.", r"exe\u202efdp."),
        ("half \ud800, mark \ufeff, none \uffff, own \ue000", r"half \ud800, mark \ufeff, none \uffff, own \ue000"),
    ],
)
def test_what_is_not_there_to_be_seen_is_written_as_its_escape(text, shown):
    assert plain(text) == shown


@given(st.text(st.characters()))
def test_what_is_shown_can_be_encoded_printed_on_a_line_and_shown_again(text):
    shown = plain(text)
    shown.encode()
    assert len(shown.splitlines()) <= 1
    assert not any(ord(character) < 32 for character in shown)
    assert plain(shown) == shown
