"""Studies in a browser while they are at work: a server for this machine alone, which reads what is on the disk."""

import html
import http.server
import os
import threading
import urllib.parse
from collections import defaultdict
from http import HTTPStatus
from pathlib import Path

from bakeoff.errors import UserError, plain
from bakeoff.reporting import live
from bakeoff.reporting.build import PAGE
from bakeoff.study_folder import EARLIER, StudyFolder

#: The only address that is listened on: other machines do not reach it.
ADDRESS = "127.0.0.1"
#: What a browser may call this machine. A page of someone else's, whose name leads here, calls it something else.
NAMES = (ADDRESS, "localhost")
#: What the page may do: show itself, and ask the server that it came from.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: How deep studies lie in a folder: those of a choice or a search are in its folder, or in one of its rounds.
PATTERNS = ("study.json", "*/study.json", "*/*/study.json")
#: What follows a study's address in that of its report.
REPORT = "report"


def studies(folder: Path) -> dict[str, StudyFolder]:
    """The studies in a folder by where they lie, from its own name on; the last one that was written to is first."""
    found = {path.parent.relative_to(folder) for pattern in PATTERNS for path in folder.glob(pattern)}
    in_use = [folder / path for path in found if EARLIER not in path.parts]
    recent = sorted(in_use, key=_touched, reverse=True)
    return {path.relative_to(folder.parent).as_posix(): StudyFolder(path) for path in recent}


def _touched(study: Path) -> float:
    """When it, or the history of one of its runs, was last written."""
    try:
        return max(path.stat().st_mtime for path in (study, *study.glob("*/seed-*/history.jsonl")))
    except OSError:  # it is just being moved or removed
        return 0.0


class Server(http.server.ThreadingHTTPServer):
    """The server of a folder.

    Args:
        folder: That holds a study, or studies.
        port: Of the machine; 0 for any that is free.

    Attributes:
        kept: What each study was drawn of, by its name, for whoever asks again.
        drawing: Held by the one who draws.

    Raises:
        UserError: The port is taken, or the folder is none.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder.resolve()
        self.kept: defaultdict[str, live.Drawn] = defaultdict(live.Drawn)
        self.drawing = threading.Lock()
        if self.folder.is_file():
            raise UserError(f"{folder} is a file: give the folder of a study, or of studies")
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            raise UserError(f"port {port} cannot be had ({error.strerror}): give another with --port") from error

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: whoever asked has gone."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{ADDRESS}:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    """One answer."""

    server: Server
    server_version = "bakeoff"
    sys_version = ""

    #: Seconds after which a browser that says nothing is left.
    timeout = 30

    def do_GET(self) -> None:
        """A page, what changes on it, or a report."""
        if not self._is_ours():
            return self._answer(HTTPStatus.FORBIDDEN, "This server answers to this machine alone.", "text/plain")
        try:
            status, text, kind = self._asked()
        except Exception as error:  # noqa: BLE001 (an address that is none, a folder that goes: others stay visible)
            status, text, kind = HTTPStatus.BAD_REQUEST, plain(str(error)), "text/plain"
        return self._answer(status, text, kind)

    do_HEAD = do_GET

    def _asked(self) -> tuple[HTTPStatus, str, str]:
        address = urllib.parse.urlsplit(self.path)
        there, name = studies(self.server.folder), os.fsdecode(urllib.parse.unquote_to_bytes(address.path)).strip("/")
        name, _, ending = name.rpartition("/") if name not in there and name.endswith(f"/{REPORT}") else (name, "", "")
        news, name = address.query == "news", name or next(iter(there), "")
        if not there and news:
            return HTTPStatus.OK, "<p>There is no study yet.</p>", "text/html"
        if (there and name not in there) or (ending and not (there[name].report / PAGE).is_file()):
            return HTTPStatus.NOT_FOUND, f"There is no such {'report yet' if ending else 'study'}.", "text/plain"
        if not news and not ending:
            return HTTPStatus.OK, live.shell(), "text/html"
        study = there[name]
        if ending:
            return HTTPStatus.OK, (study.report / PAGE).read_text(encoding="utf-8"), "text/html"
        links = [(each, _address(each)) for each in there]
        if (study.report / PAGE).is_file():
            links.append((f"report of {name}", f"{_address(name)}/{REPORT}"))
        with self.server.drawing:
            try:
                now = live.of(study, kept=self.server.kept[name])
            except Exception as error:  # noqa: BLE001 (a record is being written, or damaged: the next answer may have it)
                now = f"<p>Not to be shown now: {html.escape(plain(str(error)))}</p>"
        return HTTPStatus.OK, live.links(links) + now, "text/html"

    def _is_ours(self) -> bool:
        """Whether a browser was told this machine's own name: a page from elsewhere may have had its name led here."""
        try:
            return urllib.parse.urlsplit(f"//{self.headers.get('Host', '')}").hostname in NAMES
        except ValueError:  # no address at all
            return False

    def _answer(self, status: HTTPStatus, text: str, kind: str) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        """Say nothing."""


def _address(name: str) -> str:
    """A study's address; its name may be any that a system takes."""
    return f"/{urllib.parse.quote(os.fsencode(name))}"
