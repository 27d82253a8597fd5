"""The PDF."""

import re


def test_every_figure_is_in_it_as_vectors(built):
    pdf = (built.folder / "report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    # A figure that were pixels would be an image; ours are forms with paths and text.
    assert not re.findall(rb"/Subtype\s*/Image", pdf)
    assert len(re.findall(rb"/Subtype\s*/Form", pdf)) >= len(built.figures.numbered)


def test_it_has_several_pages_of_which_one_lies_on_its_side(built):
    pdf = (built.folder / "report.pdf").read_bytes()
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf)
    assert any(float(width) > float(height) for width, height in boxes)
    assert any(float(width) < float(height) for width, height in boxes)


def test_names_of_users_are_not_read_as_markup(nasty_built):
    """The name holds a call that would stop the typesetter."""
    assert (nasty_built.folder / "report.pdf").read_bytes().startswith(b"%PDF")
