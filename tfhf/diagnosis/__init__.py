"""`tfhf doctor`: whether this environment is one that tfhf works in, and the fix for what is not.

Nothing is imported to find out, but in a process of its own, so that a package that cannot even be
imported is a finding like others.
"""

import os
import sys
import tempfile
from importlib import metadata

from tfhf.diagnosis import finding, installed, machine, settings, trial

FILES_OF = ("tensorflow", "tf_keras", "transformers", "datasets")  # whose bytecode matters


def doctor():
    """Examines the environment and prints what was found, what to mend first.

    In a notebook it sees the running process, too: whether Keras 3 or TensorFlow came before tfhf.

    Returns:
        A list of `Finding`.
    """
    findings = diagnose()
    print(finding.text(findings))
    return findings


def diagnose():
    """Examines versions, Keras, switches, bytecode, disk, processors and TensorFlow itself."""
    from packaging.utils import canonicalize_name

    versions = {canonicalize_name(one.name): one.version for one in metadata.distributions()}
    places = {"the Hub's cache": _hub_cache(), "this folder": ".", "scratch": tempfile.gettempdir()}
    findings = [
        *installed.packages(metadata.requires("tfhf") or [], versions),
        *installed.rivals(versions),
        *settings.keras(os.environ, sys.modules),
        *settings.switches(os.environ),
        *machine.bytecode(os.environ, FILES_OF),
        *machine.disk(places),
        *machine.processors(os.cpu_count(), machine.allowed_processors(), os.environ),
        *machine.hub(),
    ]
    return findings + trial.probed(*trial.probe())


def _hub_cache():
    from huggingface_hub import constants

    return constants.HF_HUB_CACHE
