"""Which Keras there is, and environment variables that change what the libraries do."""

from tfhf.diagnosis.finding import Finding

TRUE = ("1", "true", "True")  # as TensorFlow reads TF_USE_LEGACY_KERAS


def keras(environ, loaded):
    """Whether `tf.keras` is Keras 2 (tf-keras), and nothing of Keras 3 is in the way.

    Args:
        environ: environment variables.
        loaded: the modules loaded before.
    """
    value = environ.get("TF_USE_LEGACY_KERAS")
    if value is not None and value not in TRUE:
        found = f"TF_USE_LEGACY_KERAS is {value!r}, so tf.keras is Keras 3; tfhf needs Keras 2"
        yield Finding("keras", found, "unset TF_USE_LEGACY_KERAS", must=True)
        return
    tensorflow = loaded.get("tensorflow")
    if tensorflow is not None and not getattr(tensorflow, "_tf_uses_legacy_keras", True):
        yield Finding(
            "keras",
            "TensorFlow was imported before TF_USE_LEGACY_KERAS was set, so tensorflow.keras is "
            "Keras 3",
            "start afresh, with `import tfhf` before `import tensorflow`, or with"
            "\nexport TF_USE_LEGACY_KERAS=1",
            must=True,
        )
    elif "keras" in loaded:
        yield Finding(
            "keras",
            "Keras 3 is imported; its layers, optimizers and callbacks do not fit tfhf's models",
            "take them from tf_keras, or from tf.keras after `import tfhf`",
        )
    else:
        yield Finding("keras", "tf.keras is Keras 2 (tf-keras)")


def switches(environ):
    """Environment variables that change what the libraries do.

    Args:
        environ: environment variables.
    """
    if environ.get("USE_TORCH", "").upper() in ("1", "ON", "YES", "TRUE"):
        found = "USE_TORCH makes transformers hide its TensorFlow classes"
        yield Finding("USE_TORCH", found, "unset USE_TORCH", must=True)
    if environ.get("USE_TF", "AUTO").upper() not in ("1", "ON", "YES", "TRUE", "AUTO"):
        found = f"USE_TF is {environ['USE_TF']!r}: transformers hides its TensorFlow classes"
        yield Finding("USE_TF", found, "unset USE_TF", must=True)
    if "auto_jit" in environ.get("TF_XLA_FLAGS", ""):
        yield Finding(
            "TF_XLA_FLAGS",
            "XLA compiles whatever it can, anew for every length of text",
            "unset TF_XLA_FLAGS",
        )
