"""What a version answers through its signatures: predictions, classes, values.

Names of inputs and outputs are checked as TensorFlow Serving checks them; that they are of the
right type, the graph itself finds out.
"""

from dataclasses import dataclass

import tensorflow as tf

from tfhf.serving.statuses import RequestError, invalid

DEFAULT = "serving_default"
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


@dataclass(frozen=True)
class Question:
    """Who is asked, and how long the answer is awaited.

    Attributes:
        servable: the version, acquired by whoever asks.
        run: computes tensors of (servable, feeds, fetches, deadline); `Batcher.run`.
        deadline: `time.monotonic()` after which nobody waits, or None.
    """

    servable: object
    run: object
    deadline: float | None = None

    def compute(self, feeds, fetches):
        """Tensors of the graph by name; see `Servable.run`."""
        fetches = tuple(sorted(set(fetches)))
        found = self.run(self.servable, feeds, fetches, self.deadline)
        return dict(zip(fetches, found, strict=True))


def predict(question, signature_name, inputs, output_filter=()):
    """Answers through a signature of any inputs and outputs.

    Args:
        question: Question.
        signature_name: "" for `serving_default`.
        inputs: input → array.
        output_filter: outputs that are wanted; none for all.

    Returns:
        dict output → array.

    Raises:
        RequestError: if there is no such signature, input or output.
    """
    name = signature_name or DEFAULT
    signature = question.servable.signatures.get(name)
    if signature is None:
        raise RequestError("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
    feeds = _feeds(signature, inputs)
    wanted = list(output_filter) or list(signature.outputs)
    for place, alias in enumerate(wanted):
        if alias not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_braced(signature.outputs)}."
            )
        if alias in wanted[:place]:
            raise invalid(f"duplicate output tensor alias: {alias}")
    tensors = {alias: signature.outputs[alias].name for alias in wanted}
    found = question.compute(feeds, tensors.values())
    return {alias: found[tensor] for alias, tensor in tensors.items()}


def _feeds(signature, inputs):
    """Name of a tensor → array, for every input of a signature."""
    given, known = set(inputs), set(signature.inputs)
    optional = set(signature.defaults)
    if len(given) > len(known) or (len(given) < len(known) and not optional):
        raise invalid(
            f"input size does not match signature: {len(given)}!={len(known)} "
            f"len({_braced(given)}) != len({_braced(known)}). "
            f"Sent extra: {_braced(given - known)}. "
            f"Missing but required: {_braced(known - given)}."
        )
    for alias in sorted(given - known):
        raise invalid(
            f"input tensor alias not found in signature: {alias}. "
            f"Inputs expected to be in the set {_braced(known)}."
        )
    if missing := known - given - optional:
        raise invalid(f"Missing but required: {_braced(missing)}.")
    left_out = {alias: tf.make_ndarray(signature.defaults[alias]) for alias in known - given}
    arrays = {**inputs, **left_out}
    return {signature.inputs[alias].name: arrays[alias] for alias in sorted(arrays)}


def _braced(names):
    return "{" + ",".join(sorted(names)) + "}"


def classify(question, signature_name, examples):
    """Classifies examples.

    Args:
        question: Question.
        signature_name: "" for `serving_default`.
        examples: `(B,)` array of serialized `tf.Example`s.

    Returns:
        Per example a list of (label, score); a signature without the one gives "", 0.0.

    Raises:
        RequestError: if there is no such signature, or it does not classify.
    """
    signature = _signature(question, signature_name)
    feed, fetches = _classify_tensors(signature)
    return _classes(signature, question.compute({feed: examples}, fetches), len(examples))


def regress(question, signature_name, examples):
    """Gives each example a value; arguments and errors as `classify`.

    Returns:
        list of float.
    """
    signature = _signature(question, signature_name)
    feed, fetches = _regress_tensors(signature)
    return _values(signature, question.compute({feed: examples}, fetches), len(examples))


def multi_inference(question, tasks, examples):
    """Classifies and regresses the same examples in one run.

    Args:
        question: Question.
        tasks: list of (method, signature's name); the method is CLASSIFY or REGRESS.
        examples: as for `classify`.

    Returns:
        list with what `classify` or `regress` gives, for each task.

    Raises:
        RequestError: as they do, or if two tasks have one signature, or take unlike inputs.
    """
    plans, names = [], set()
    for method, given in tasks:
        name = given or DEFAULT
        if name in names:
            raise invalid(f"Duplicate evaluation of signature: {name}")
        names.add(name)
        signature = question.servable.signatures.get(name)
        if signature is None:
            raise invalid(f"Requested signature not found in model graph: {name}")
        if method not in _METHODS:
            raise RequestError("UNIMPLEMENTED", f"Unsupported signature method_name: {method}")
        tensors_of, read = _METHODS[method]
        plans.append((signature, read, *tensors_of(signature)))
    feeds = {feed for _, _, feed, _ in plans}
    if len(feeds) > 1:
        raise invalid("Input tensor must be the same for all Signatures.")
    fetches = [tensor for *_, tensors in plans for tensor in tensors]
    found = question.compute({feeds.pop(): examples}, fetches)
    return [read(signature, found, len(examples)) for signature, read, *_ in plans]


def _signature(question, name):
    found = question.servable.signatures.get(name or DEFAULT)
    if found is None:
        raise invalid(f"No signature was found with the name: {name or DEFAULT}")
    return found


def _classify_tensors(signature):
    """The tensor that a classification feeds, and those it fetches."""
    _check_counts(signature, (1, 2), "one or two output Tensors")
    if "inputs" not in signature.inputs:
        raise _unfit(f"No classification inputs found in SignatureDef: {signature}")
    fetches = [signature.outputs[n].name for n in ("classes", "scores") if n in signature.outputs]
    if not fetches:
        raise _unfit(
            "Expected classification signature outputs to contain at least one of "
            f'"classes" or "scores". Signature was: {signature}'
        )
    return signature.inputs["inputs"].name, fetches


def _regress_tensors(signature):
    """As `_classify_tensors`, for a regression."""
    _check_counts(signature, (1,), "one output Tensor")
    if "inputs" not in signature.inputs:
        raise _unfit(f"No regression inputs found in SignatureDef: {signature}")
    if "outputs" not in signature.outputs:
        raise _unfit(f"No regression outputs found in SignatureDef: {signature}")
    return signature.inputs["inputs"].name, [signature.outputs["outputs"].name]


def _check_counts(signature, outputs, expected):
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) not in outputs:
        raise invalid(f"Expected {expected}, found {len(signature.outputs)}")


def _unfit(message):
    return RequestError("FAILED_PRECONDITION", message)


def _classes(signature, found, count):
    """(label, score) pairs per example."""
    columns = {}
    for alias, kind in (("classes", "string"), ("scores", "float32")):
        if alias not in signature.outputs:
            continue
        array = columns[alias] = found[signature.outputs[alias].name]
        if array.ndim != 2:
            raise invalid(
                f"Expected Tensor shape: [batch_size num_classes] but got {list(array.shape)}"
            )
        if tf.as_dtype(array.dtype).name != kind:
            raise invalid(f"Expected {alias} Tensor of {kind}. Got: {array.dtype}")
        if len(array) != count:
            raise invalid(f"Expected {alias} output batch size of {count}. Got: {len(array)}")
    if len({array.shape for array in columns.values()}) > 1:
        widths = " vs. ".join(str(array.shape[1]) for array in columns.values())
        raise invalid(f"Tensors class and score should match in dim_size(1). Got {widths}")
    width = next(iter(columns.values())).shape[1]
    labels, scores = [[""] * width] * count, [[0.0] * width] * count
    if "classes" in columns:
        labels = [[label.decode("utf-8", "replace") for label in row] for row in columns["classes"]]
    if "scores" in columns:
        scores = columns["scores"].tolist()
    return [list(zip(*row, strict=True)) for row in zip(labels, scores, strict=True)]


def _values(signature, found, count):
    """A number per example."""
    array = found[signature.outputs["outputs"].name]
    if array.ndim != 1 and (array.ndim != 2 or array.shape[1] != 1):
        raise invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{list(array.shape)}"
        )
    if len(array) != count:
        raise invalid(f"Input batch size did not match output batch size: {count} vs. {len(array)}")
    if array.dtype != "float32":
        raise invalid(f"Expected output Tensor of float32.  Got: {array.dtype}")
    return array.reshape(-1).tolist()


_METHODS = {CLASSIFY: (_classify_tensors, _classes), REGRESS: (_regress_tensors, _values)}
