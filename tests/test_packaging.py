"""What is shipped: every package and every recipe, and nothing that cannot be installed again."""

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_and_recipe_folder_is_listed():
    listed = setup()["options"]["packages"].split()
    found = {p.parent.relative_to(ROOT).as_posix() for p in (ROOT / "tfhf").rglob("*.py")}
    found |= {
        f"tfhf/{p.parent.relative_to(ROOT).as_posix()}" for p in (ROOT / "recipes").rglob("*.yaml")
    }
    assert sorted(listed) == sorted(folder.replace("/", ".") for folder in found)


def test_data_files_of_the_package_are_listed():
    patterns = setup()["options.package_data"]
    for path in (ROOT / "tfhf").rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            relative = path.relative_to(ROOT / "tfhf")
            globs = [pattern.strip() for pattern in patterns["tfhf"].split(",")]
            assert any(relative.match(glob) for glob in globs), relative
    for path in (ROOT / "recipes").rglob("*.yaml"):
        package = "tfhf." + path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        assert "*.yaml" in patterns[package]


def test_the_lock_file_has_hashes_and_no_addresses():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "torch==" not in text
    pinned = re.findall(r"^[A-Za-z0-9_.-]+==\S+", text, re.MULTILINE)
    assert len(pinned) > 50
    assert text.count("--hash=sha256:") > len(pinned)
