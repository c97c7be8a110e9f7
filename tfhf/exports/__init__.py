"""From a trained model to one that TensorFlow Serving answers raw text with.

`saved_model.publish` writes and proves an export; `tokenizers` holds Hugging Face tokenizers as
TensorFlow ops and `answers` what turns numbers into strings; `inspection` looks at any SavedModel
as data, `rehearsal` uses it in a process that knows only TensorFlow; `warmup`, `kit` and `records`
write what TensorFlow Serving and people want beside it.
"""


class ExportError(Exception):
    """An export does not give what the trained model gives: a bug of tfhf, never published."""


# What an input of a text signature holds for each row: its type, and the rank of the tensor.
TEXT, TEXTS, NUMBER = ("string", 1), ("string", 2), ("int32", 1)
