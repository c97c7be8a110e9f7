"""The packages of an environment: what is missing, of another version, or in the way."""

from tfhf import environment
from tfhf.diagnosis.finding import Finding, pip

# What comes of a version that tfhf does not take, where that is not plain.
BECAUSE = {
    "transformers": "transformers 5 has no TensorFlow classes",
    "huggingface-hub": "transformers 4.57 refuses release 1",
    "tf-keras": "it must be of TensorFlow's own release",
    "tensorflow-serving-api": "it must be of TensorFlow's own release",
}
OVER_TENSORFLOW = ("tensorflow-cpu", "tf-nightly")  # packages that install the same files


def packages(required, installed):
    """Compares what is installed with what tfhf declares.

    Args:
        required: requirements, such as `transformers<5,>=4.57.6`.
        installed: name → version.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    needed = [Requirement(one) for one in required]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    findings = []
    for one in needed:
        version = installed.get(canonicalize_name(one.name))
        if version is not None and one.specifier.contains(version, prereleases=True):
            continue
        wanted = f"{one.name}{one.specifier}"
        said = "not installed" if version is None else f"{version} is installed, want {wanted}"
        because = f": {BECAUSE[one.name]}" if version and one.name in BECAUSE else ""
        fix = f'{pip()} install "{wanted}"'
        findings.append(Finding(one.name, said + because, fix, must=True))
    if not findings:
        shown = [f"{name} {installed[name]}" for name in environment.PACKAGES if name in installed]
        findings.append(Finding("packages", f"{len(needed)} as declared: {', '.join(shown)}"))
    return findings


def rivals(installed):
    """Packages that get into tfhf's way, and those that do not though one might think so.

    Args:
        installed: name → version.
    """
    for name in OVER_TENSORFLOW:
        if name in installed:
            fix = f"{pip()} uninstall --yes {name}"  # what both had is gone then
            fix += f'\n{pip()} install --force-reinstall --no-deps "tensorflow==2.21.*"'
            found = f"{installed[name]} is installed over tensorflow's own files"
            yield Finding(name, found, fix, must=True)
    if "keras-nlp" in installed:
        found = f"{installed['keras-nlp']} came with transformers[tf]; nothing here needs it"
        yield Finding("keras-nlp", found, f"{pip()} uninstall --yes keras-nlp")
    text, core = installed.get("tensorflow-text"), installed.get("tensorflow", "")
    if text is None:
        yield Finding("tensorflow-text", "not installed; nothing here needs it")
    elif text.split(".")[:2] == core.split(".")[:2]:
        yield Finding("tensorflow-text", f"{text}, of TensorFlow's release; nothing here needs it")
    else:
        yield Finding(
            "tensorflow-text",
            f"{text} does not load beside tensorflow {core}; nothing here needs it",
            f"{pip()} uninstall --yes tensorflow-text",
        )
    torch = installed.get("torch")
    yield Finding(
        "torch", f"{torch}; tfhf does not use it" if torch else "not installed, not needed"
    )
