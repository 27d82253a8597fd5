"""The PDF."""

import re

from bakeoff.reporting import contents, pdf
from bakeoff.reporting.reuse import Reuse


def test_every_figure_is_in_it_as_vectors(built):
    written = (built.folder / "report.pdf").read_bytes()
    assert written.startswith(b"%PDF")
    # A figure that were pixels would be an image; ours are paths and text.
    assert not re.findall(rb"/Subtype\s*/Image", written)
    assert len(re.findall(rb"/S\s*/Figure", written)) == len(built.figures.numbered)


def test_it_has_several_pages_of_which_one_lies_on_its_side(built):
    written = (built.folder / "report.pdf").read_bytes()
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", written)
    sides = [float(width) > float(height) for width, height in boxes]
    assert sides.count(True) == 1
    assert len(sides) > 3


def test_names_of_users_are_not_read_as_markup(nasty_built):
    """The name holds a call that would stop the typesetter."""
    assert (nasty_built.folder / "report.pdf").read_bytes().startswith(b"%PDF")
    assert 'class="failed"' not in nasty_built.html


def test_every_part_that_a_report_may_have_can_be_typeset(built, study, tmp_path):
    said = built.contents | {"failed": ["Drawing failed."], "published": contents.beside_published(study)}
    screen = said["screen"] | {"command": "bakeoff run fake --seeds 3"}
    pdf.write(
        said | {"screen": screen, "load": "bakeoff.load()"}, built.figures, Reuse(tmp_path, tmp_path), "report.pdf"
    )
    assert (tmp_path / "report.pdf").stat().st_size > (built.folder / "report.pdf").stat().st_size
