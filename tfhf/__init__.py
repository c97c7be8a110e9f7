"""tfhf: fine-tune, export and serve Hugging Face models with TensorFlow.

Every public name is loaded on first use, so `import tfhf` costs milliseconds and TensorFlow is
imported only by what needs it.
"""

import importlib
import os

__version__ = "0.1.0"

# transformers' TensorFlow classes are built on Keras 2 (tf-keras). TensorFlow reads this switch
# when `tf.keras` is first used, so it has to be set before anything of TensorFlow is.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

_HOME = {
    "AdamW": "tfhf.learning.optimizers",
    "Model": "tfhf.learning.model",
    "Recipe": "tfhf.recipe",
    "Run": "tfhf.run",
    "doctor": "tfhf.diagnosis",
    "evaluate": "tfhf.evaluation",
    "export": "tfhf.exporting",
    "load_model": "tfhf.pieces",
    "load_tokenizer": "tfhf.pieces",
    "pipeline": "tfhf.prediction",
    "predict": "tfhf.prediction",
    "repair": "tfhf.models.repairs",
    "report": "tfhf.reporting",
    "to_tf_dataset": "tfhf.pieces",
    "train": "tfhf.training",
    "warmup_schedule": "tfhf.learning.schedules",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'tfhf' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
