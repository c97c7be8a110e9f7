"""A trained model as a LiteRT file: tokens in, numbers out, on a phone or another small machine.

LiteRT is what TensorFlow Lite is called since 2024. The converter is TensorFlow's; the interpreter
is that of `ai-edge-litert`, which is what runs the file elsewhere (TensorFlow's own is deprecated).

Shapes: B examples, T tokens.
"""

import re
import tempfile
from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from tfhf.console import hushed
from tfhf.errors import UserError, reason
from tfhf.learning.scoring import Scorer

SIGNATURE = "tokens"
# How far a file's numbers may be from the trained model's, see `difference`. float32: only sums are
# ordered otherwise. float16: weights keep 11 bits, 5e-4 each. int8: 8 bits in one scale for each
# row of a matrix; what narrow models answer moves by up to a fifth.
BOUNDS = {"float32": 1e-4, "float16": 2e-2, "int8": 0.3}
# Inputs that hold something for each token, and can be filled up where all lengths must be equal.
OF_TOKENS = {"input_ids", "attention_mask", "token_type_ids"}
MISSING_OPS = re.compile(r"^(?:TF Select|Flex|Custom) ops: (.+)$", re.MULTILINE)


class Converted:
    """A LiteRT file in memory, called as the model is: name → array in, name → array out.

    Attributes:
        content: the file's bytes.
        length: tokens to which shorter rows are filled up; None where any length is read as it is.
        fills: name → what fills up an input with a place for each token.
        inputs, outputs: name → `TensorSpec` of what a call takes and gives.
    """

    def __init__(self, content, length, fills, inputs, outputs):
        from ai_edge_litert.interpreter import Interpreter

        self.content, self.length, self.fills = content, length, fills
        self.inputs, self.outputs = inputs, outputs
        with hushed():
            self._interpreter = Interpreter(model_content=content)
            self._interpreter.allocate_tensors()
            self._run = self._interpreter.get_signature_runner(SIGNATURE)

    def __call__(self, inputs):
        """Runs the model.

        Args:
            inputs: name → array with B in front; others than the model's are ignored.

        Returns:
            Name → array with B in front.
        """
        fed = {name: np.asarray(inputs[name]) for name in self.inputs}
        if self.length is None:
            return self._run(**fed)
        tokens = fed["input_ids"].shape[1]
        found = self._run(**{name: self._filled_up(name, value) for name, value in fed.items()})
        # What has a place for each token has one for each filled up, too.
        of_tokens = {name for name, spec in self.outputs.items() if _has_tokens(spec)}
        return {n: value[:, :tokens] if n in of_tokens else value for n, value in found.items()}

    def _filled_up(self, name, value):
        missing = [(0, 0), (0, self.length - value.shape[1])]
        return np.pad(value, missing, constant_values=self.fills[name])


class LiteScorer(Scorer):
    """Runs a converted model over splits, for the trained model's task.

    Args:
        model: the `tfhf.Model` that was converted.
        converted: a Converted.
        batch_size: features per batch.
    """

    def __init__(self, model, converted, batch_size):
        super().__init__(model, batch_size)
        self.converted = converted

    def measures(self, inputs):
        """Whether the file answers where the task is measured as it does where it predicts.

        Args:
            inputs: name → what the model is fed where it is measured.
        """
        return self._stands_in or set(self.model.task.fed(inputs)) == set(self.converted.inputs)

    @property
    def _stands_in(self):
        """Whether the file gives all that the task takes from its backbone, for several towers."""
        return "last_hidden_state" in self.converted.outputs

    def forward(self, task, inputs):
        if not self._stands_in:
            return self._run(inputs)
        return task.forward(_Body(self._run, self.model.backbone.config), inputs, False)

    def _run(self, inputs):
        """What the file gives, called out of a graph."""
        names, specs = list(self.converted.inputs), self.converted.outputs

        def run(*values):
            found = self.converted(dict(zip(names, values, strict=True)))
            return [found[name] for name in specs]

        types = [spec.dtype for spec in specs.values()]
        found = tf.numpy_function(run, [inputs[name] for name in names], types)
        for value, spec in zip(found, specs.values(), strict=True):
            value.set_shape(spec.shape)
        return dict(zip(specs, found, strict=True))


class _Body:
    """A file in the backbone's place: it takes and gives what the body of a model does.

    Args:
        run: from name → tensor to name → tensor.
        config: the backbone's.
    """

    def __init__(self, run, config):
        self._run, self.config = run, config

    def call(self, training=False, **inputs):
        return SimpleNamespace(**self._run(inputs))

    __call__ = call


def convert(model, inputs, precisions):
    """Converts a model's `forward`; rows of any number and length, where the converter manages.

    Where it does not, the length is fixed to the task's `max_length`.

    Args:
        model: a `tfhf.Model`.
        inputs: name → `TensorSpec` of what `forward` takes, as `batches.evaluation_dataset` gives.
        precisions: of `float32`, `float16`, and `int8`: weights as integers, sums still in float32
            (dynamic-range quantization).

    Returns:
        Precision → Converted.

    Raises:
        UserError: if the model needs operations that LiteRT lacks.

    Source: https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_quantization
    """
    task = model.task
    specs = {n: tf.TensorSpec(spec.shape, spec.dtype, n) for n, spec in task.fed(inputs).items()}
    forward, length = _traced(model, specs), None
    outputs = dict(sorted(forward.structured_outputs.items()))
    fills = {name: task.padding.get(name, 0) for name, spec in specs.items() if _has_tokens(spec)}
    contents, problem = _contents(model.backbone, forward, precisions)
    if contents is None and set(specs) <= OF_TOKENS:
        length = task.max_length
        fixed = {n: tf.TensorSpec([None, length], spec.dtype, n) for n, spec in specs.items()}
        contents, problem = _contents(model.backbone, _traced(model, fixed), precisions)
    if contents is None:
        family = model.backbone.config.model_type
        raise UserError(f"--lite: LiteRT cannot run a {family} model of {task.name()}: {problem}")
    return {
        precision: Converted(content, length, fills, specs, outputs)
        for precision, content in contents.items()
    }


def difference(found, expected):
    """How far one answer of a model is from another.

    Args:
        found, expected: name → arrays, a list of them for the rows.

    Returns:
        The root mean square of `found - expected` over that of `expected`, of the output where it
        is largest; infinite where integers differ, or shapes, or a number is undefined.
    """
    shares = []
    for name in expected[0]:
        pairs = [(a[name], b[name]) for a, b in zip(found, expected, strict=True)]
        if any(a.shape != b.shape for a, b in pairs):
            return float("inf")
        a, b = (np.concatenate([one.ravel() for one in side]) for side in zip(*pairs, strict=True))
        if b.dtype.kind != "f":
            shares.append(0.0 if np.array_equal(a, b) else np.inf)
        elif np.linalg.norm(b):
            shares.append(float(np.linalg.norm(a - b) / np.linalg.norm(b)))
    return float("inf") if np.isnan(shares).any() else max(shares, default=0.0)


def original(model, converted):
    """The trained model, to be called as the converted one: with arrays, the graph traced once."""
    forward = _traced(model, converted.inputs)

    def call(inputs):
        fed = {name: tf.constant(inputs[name]) for name in converted.inputs}
        return {name: value.numpy() for name, value in forward(**fed).items()}

    return call


def _traced(model, specs):
    """`forward` as a concrete function of keyword arguments."""
    task, backbone = model.task, model.backbone
    forward = tf.function(lambda **tokens: task.forward(backbone, tokens, False))
    return forward.get_concrete_function(**specs)


def _contents(backbone, forward, precisions):
    """Precision → the bytes of a LiteRT file; or None and, in one line, why there are none."""
    exported = tf.Module(name="export")
    exported.weights = backbone.variables
    # What the converter has to say of each missing operation fills screens.
    with tempfile.TemporaryDirectory() as folder, hushed():
        tf.saved_model.save(exported, folder, {SIGNATURE: forward})
        try:
            return {precision: _content(folder, precision) for precision in precisions}, None
        except Exception as error:  # the converter has no class of its own for all it raises
            missing = MISSING_OPS.search(str(error))
            if missing is None:
                return None, reason(error)
            return None, f"it lacks {missing[1].strip()}"


def _content(folder, precision):
    """A SavedModel as the bytes of a LiteRT file."""
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def _has_tokens(spec):
    """Whether a tensor has a place for each token: dimensions but the batch's are known else."""
    return spec.shape.rank is not None and spec.shape.rank > 1 and spec.shape[1] is None
