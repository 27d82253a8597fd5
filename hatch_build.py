"""Writes into a wheel and an sdist which commit they were built from, as nothing else in them tells."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# These sources, not what is installed.
sys.path.insert(0, str(Path(__file__).parent / "src"))
from bakeoff import provenance


class Commit(BuildHookInterface[Any]):
    """Adds the file that `provenance` reads where there is no checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add it before files are gathered; in an sdist it is there, and an editable install has its checkout."""
        commit = provenance.commit()
        if commit is None or (provenance.PACKAGE / provenance.BUILT).is_file() or version == "editable":
            return
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / provenance.BUILT
        file.write_text(f"{commit}\n", encoding="utf-8")
        package = Path("src" if self.target_name == "sdist" else "") / provenance.PACKAGE.name
        build_data["force_include"][str(file)] = str(package / file.name)
