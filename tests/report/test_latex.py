"""The table for LaTeX."""

import re

from hypothesis import given
from hypothesis import strategies as st

from bakeoff.report import latex

COMMANDS = r"\\(text[a-z]+|dag)\{\}|\\[&%$#_{}]"


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=("Cc",))))
def test_nothing_in_a_name_is_a_command(text):
    assert not re.search(r'[\\&%$#_{}~^<>|"]', re.sub(COMMANDS, "", latex.escape(text)))


def test_the_table_is_one_of_booktabs_with_a_row_a_line(built, study):
    table = (built.folder / "table.tex").read_text(encoding="utf-8")
    for part in (
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
        r"\caption{Study fake on tiny \& \textless{}b\textgreater{}:",
    ):
        assert part in table
    (shape,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", table)
    rows = [line for line in table.splitlines() if line.endswith(r" \\")]
    assert len(rows) == 1 + len(study.rows) + len(study.baselines)
    assert all(len(re.findall(r"(?<!\\)&", row)) == len(shape) - 1 for row in rows)
    assert r"\textbf{90.02}" in table


def test_names_of_users_stay_text(nasty_built, nasty):
    table = (nasty_built.folder / "table.tex").read_text(encoding="utf-8")
    assert latex.escape(nasty) in table
    assert r"\input" not in table
