"""What the stand-in for the Hub does with what is written: repositories, large files, commits.

A commit is as atomic as the Hub's: files come into the repository's folder all at once, by the one
request at the end, or not at all.
"""

import base64
import json
import re
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"  # the head of what nobody has written to
REPO = r"(?P<id>[^/]+/[^/]+)"
ROUTES = {
    "create": re.compile(r"/api/repos/create"),
    "validate": re.compile(r"/api/validate-yaml"),
    "preupload": re.compile(rf"/api/models/{REPO}/preupload/main"),
    "batch": re.compile(rf"/{REPO}\.git/info/lfs/objects/batch"),
    "verify": re.compile(r"/lfs/verify"),
    "commit": re.compile(rf"/api/models/{REPO}/commit/main"),
}


class Writing:
    """The half of the server's handler that takes requests to write."""

    def do_POST(self):
        self.server.requests.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        for name, route in ROUTES.items():
            if found := route.fullmatch(path):
                repo = found.groupdict().get("id")
                if name == "create":
                    asked = json.loads(body)
                    repo = f"{asked['organization']}/{asked['name']}"
                return self._forbidden(name, repo) or getattr(self, f"_{name}")(repo, body)
        return self._answer(404)

    def do_PUT(self):
        """A large file's content, sent to where `batch` said."""
        self.server.requests.append(f"PUT {self.path}")
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.broken:
            return self._answer(403)
        self.server.uploads[self.path.rpartition("/")[2]] = content
        return self._answer(200)

    def head(self, repo):
        """The commit at which a repository stands."""
        mine = [one for one in self.server.commits if one["repo"] == repo]
        return mine[-1]["sha"] if mine else COMMIT

    def _forbidden(self, name, repo):
        """Answers who may not write, with the Hub's own codes; False where all is well."""
        if name in ("validate", "verify"):
            return False
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.server.greeted.add(token)
        if token != self.server.token:
            wrong = "Invalid credentials in Authorization header"
            return self._answer(401, {"X-Error-Message": wrong})
        if repo.partition("/")[0] != self.server.owner:
            return self._answer(403)
        return False

    def _create(self, repo, body):
        folder = self.server.folder / "models" / repo
        if folder.exists():
            return self._answer(409)
        folder.mkdir(parents=True)
        (folder / ".gitattributes").write_text("*.safetensors filter=lfs\n")
        self.server.private[repo] = json.loads(body).get("private", False)
        return self._answer_json({"url": f"{self.server.address}/{repo}"})

    def _validate(self, _, body):
        content = json.loads(body)["content"]
        ok = content.startswith("---\n")
        errors = [] if ok else [{"message": "no front matter"}]
        return self._answer_json({"errors": errors, "warnings": []})

    def _preupload(self, _, body):
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
            }
            for file in json.loads(body)["files"]
        ]
        return self._answer_json({"files": files})

    def _batch(self, _, body):
        def actions(oid):
            place = f"{self.server.address}/lfs"
            return {"upload": {"href": f"{place}/{oid}"}, "verify": {"href": f"{place}/verify"}}

        objects = [one | {"actions": actions(one["oid"])} for one in json.loads(body)["objects"]]
        return self._answer_json({"transfer": "basic", "objects": objects})

    def _verify(self, _, body):
        known = json.loads(body)["oid"] in self.server.uploads
        return self._answer(200 if known else 404)

    def _commit(self, repo, body):
        lines = [json.loads(line) for line in body.splitlines()]
        header = lines[0]["value"]
        if header.get("parentCommit", self.head(repo)) != self.head(repo):
            return self._answer(412)
        commit = {"repo": repo, "sha": f"{len(self.server.commits) + 1:040x}", "header": header}
        commit |= {"files": [], "removed": []}
        folder = self.server.folder / "models" / repo
        for line in lines[1:]:
            value = line["value"]
            path = folder / value["path"]
            if line["key"] == "deletedFile":
                path.unlink()
                commit["removed"].append(value["path"])
                continue
            large = line["key"] == "lfsFile"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(
                self.server.uploads[value["oid"]] if large else base64.b64decode(value["content"])
            )
            commit["files"].append(value["path"])
        self.server.commits.append(commit)
        address = f"{self.server.address}/{repo}/commit/{commit['sha']}"
        return self._answer_json({"commitUrl": address, "commitOid": commit["sha"]})
