"""From a trained model to one that TensorFlow Serving answers raw text with.

`saved_model.publish` writes and proves an export; `tokenizers` holds Hugging Face tokenizers as
TensorFlow ops; `verification` looks at an export from a process that knows only TensorFlow.
"""


class ExportError(Exception):
    """An export does not give what the trained model gives: a bug of tfhf, never published."""
