"""A local stand-in for the Hugging Face Hub: folders, served as the Hub's own clients ask for them.

The clients are the real ones (huggingface_hub, datasets); `HF_ENDPOINT` points them here. Served
are `<folder>/models/<user>/<name>` and `<folder>/datasets/<user>/<name>`, each at one commit. What
is written comes by `tests/hub/writing.py`.
"""

import hashlib
import http.server
import json
import re
import threading
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub.writing import COMMIT, Writing

REVISIONS = ("main", COMMIT, COMMIT[:8])
REPO = r"(?P<id>[^/]+(/[^/]+)?)"
ROUTES = {
    "list": re.compile(r"/api/(?P<kind>models)"),
    "about": re.compile(rf"/api/(?P<kind>models|datasets)/{REPO}(/revision/(?P<revision>.+))?"),
    "tree": re.compile(
        rf"/api/(?P<kind>models|datasets)/{REPO}/tree/(?P<revision>[^/]+)(/(?P<path>.*))?"
    ),
    "file": re.compile(rf"/((?P<kind>datasets)/)?{REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)"),
}


class Hub(http.server.ThreadingHTTPServer):
    """The stand-in; it serves from the start until it is closed.

    Args:
        folder: holds `models` and `datasets`.
        gated: ids whose files nobody may read; their names and lists are public, as on the Hub.
        broken: ids for which the server fails.
        token: the one token that is valid; without one, a request is anonymous.
        owner: whose repositories it may write.

    Attributes:
        address: for `HF_ENDPOINT`.
        requests: every request so far, such as `GET /api/models/user/name`.
        greeted: the tokens that came with the requests.
        private: id → whether a repository that was made here is private.
        commits: what was committed, a dictionary each; see `writing`.
    """

    def __init__(self, folder, *, gated=(), broken=(), token=None, owner=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.gated, self.broken, self.token = folder, gated, broken, token
        self.requests, self.greeted = [], set()
        self.owner, self.private, self.commits, self.uploads = owner, {}, [], {}
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        """Stops serving: the port is closed, as when there is no network."""
        self.shutdown()
        self.server_close()


class _Handler(Writing, http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(f"{self.command} {self.path}")
        path = unquote(urlsplit(self.path).path)
        for name, route in ROUTES.items():
            if found := route.fullmatch(path):
                asked = found.groupdict()
                return self._refusal(name, asked) or getattr(self, f"_{name}")(asked)
        return self._answer(404)

    do_HEAD = do_GET

    def _refusal(self, name, asked):
        """Answers what may not be had, with the Hub's own codes; False where all is well."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token:
            self.server.greeted.add(token)
        if token and token != self.server.token:
            wrong = "Invalid credentials in Authorization header"
            return self._answer(401, {"X-Error-Message": wrong})
        if name == "list":
            return False
        self.repo = self.server.folder / (asked["kind"] or "models") / asked["id"]
        if asked["id"] in self.server.broken:
            return self._answer(500)
        if not self.repo.is_dir():  # the Hub does not say whether it is absent or private
            return self._answer(404 if token else 401, {"X-Error-Code": "RepoNotFound"})
        if (asked["revision"] or "main") not in REVISIONS:
            return self._answer(404, {"X-Error-Code": "RevisionNotFound"})
        if name == "file" and asked["id"] in self.server.gated:
            return self._answer(403 if token else 401, {"X-Error-Code": "GatedRepo"})
        return False

    def _list(self, asked):
        """All models of a pipeline tag, as far as their `listing.json` tells of them."""
        wanted = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        found = []
        for path in sorted((self.server.folder / "models").glob("*/*/listing.json")):
            about = json.loads(path.read_text())
            tags = (wanted["pipeline_tag"], *filter(None, [wanted.get("filter")]))
            if set(tags) <= {about["pipeline_tag"], *about["tags"]}:
                names = about.pop("files", ["config.json", "model.safetensors"])
                about["siblings"] = [{"rfilename": name} for name in names]
                found.append(about | {"id": "/".join(path.parts[-3:-1])})
        found.sort(key=lambda about: -about["downloads"])
        return self._answer_json(found[: int(wanted["limit"])])

    def _about(self, asked):
        paths = sorted(path for path in self.repo.rglob("*") if path.is_file())
        files = [{"rfilename": path.relative_to(self.repo).as_posix()} for path in paths]
        if "blobs=True" in self.path:
            for path, about in zip(paths, files, strict=True):
                about["size"] = path.stat().st_size
        about = {"id": asked["id"], "sha": self.head(asked["id"]), "siblings": files}
        return self._answer_json(about | {"private": self.server.private.get(asked["id"], False)})

    def _tree(self, asked):
        folder = self.repo / (asked["path"] or "")
        if not folder.is_dir():
            return self._answer(404, {"X-Error-Code": "EntryNotFound"})
        pattern = "**/*" if "recursive=True" in self.path else "*"
        return self._answer_json([self._entry(path) for path in sorted(folder.glob(pattern))])

    def _file(self, asked):
        path = self.repo / asked["path"]
        if not path.is_file():
            code = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
            return self._answer(404, code)
        headers = {"ETag": f'"{self._entry(path)["oid"]}"', "X-Repo-Commit": COMMIT}
        content = path.read_bytes()
        if asked := self.headers.get("Range"):  # bytes=0-9, both ends included
            first, last = (int(one) for one in asked.removeprefix("bytes=").split("-"))
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            return self._answer(206, headers, content[first : last + 1])
        return self._answer(200, headers, content)

    def _entry(self, path):
        """What the Hub says of a file or folder."""
        about = {"path": path.relative_to(self.repo).as_posix()}
        if path.is_dir():
            return about | {"type": "directory", "oid": "0" * 40}
        content = path.read_bytes()
        return about | {
            "type": "file",
            "size": len(content),
            "oid": hashlib.sha1(content).hexdigest(),
        }

    def _answer_json(self, value):
        return self._answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _answer(self, status, headers=None, body=b""):
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return True

    def log_message(self, *args):
        """Nothing: the tests read `requests`."""
