"""Warm-up requests: what TensorFlow Serving asks a new version before anybody else may."""

from pathlib import Path

from tfhf.errors import UserError
from tfhf.exports import graphs, signature_checks

PLACE = Path("assets.extra", "tf_serving_warmup_requests")
MOST_RECORDS = 1000  # more, and TensorFlow Serving refuses to load the version
BATCHES = (1, 8, 32)
FEW_STEPS = 2  # tokens that a request to `continue` generates


def write(folder, rows, *, batches=BATCHES):
    """Writes warm-up requests into a version that is not served yet.

    For the short, the median and the long ones of the rows, and for each size of batch, one
    request to `serving_default`, and one to `classify`, `regress` or `continue` where the version
    has it.
    Source: https://www.tensorflow.org/tfx/serving/saved_model_warmup

    Args:
        folder: a version folder.
        rows: input of `serving_default` → its values, one for each row: strings, bytes, integers,
            or lists of strings, which are filled up with "".
        batches: rows per request; three rows each must not make more than 1,000 requests.

    Returns:
        How many requests were written.
    """
    import tensorflow as tf

    folder = Path(folder)
    signatures = signature_checks.of(graphs.serving_graph(graphs.read(folder)))
    order = _by_length(rows)
    records = []
    for place in sorted({0, (len(order) - 1) // 2, len(order) - 1}):  # short, median, long
        for size in batches:
            chosen = _neighbours(order, place, size)
            part = {name: [values[row] for row in chosen] for name, values in rows.items()}
            records.append(_predict(part, "serving_default", signatures))
            if "continue" in signatures:
                begun = {"so_far": [""] * size, "steps": [FEW_STEPS] * size}
                records.append(_predict(part | begun, "continue", signatures))
            records += [_on_examples(part, kind) for kind in _FILLED if kind in signatures]
    path = folder / PLACE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record.SerializeToString())
    return len(records)


def _neighbours(order, place, size):
    """`size` row numbers of about the length of the one at a place of the order of length."""
    start = max(0, min(place - size // 2, len(order) - size))
    chosen = order[start : start + size]
    return [chosen[index % len(chosen)] for index in range(size)]


def _by_length(rows):
    """Row numbers from the shortest to the longest."""
    columns = list(rows.values())
    return sorted(range(len(columns[0])), key=lambda row: sum(_length(c[row]) for c in columns))


def _length(value):
    if isinstance(value, list):
        return sum(map(_length, value))
    return len(value) if isinstance(value, str | bytes) else 0


def _predict(part, name, signatures):
    """A request to a signature as TensorFlow Serving logs it."""
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    record = PredictionLog()
    request = record.predict_log.request
    request.model_spec.signature_name = name
    for key, values in part.items():
        kind = signatures[name].inputs[key].dtype
        request.inputs[key].CopyFrom(tf.make_tensor_proto(rectangular(values), dtype=kind))
    return record


def rectangular(values):
    """Lists of strings filled up with "" to the longest; anything else as it is."""
    if not values or not isinstance(values[0], list):
        return values
    longest = max(map(len, values))
    return [row + [""] * (longest - len(row)) for row in values]


def _on_examples(part, kind):
    """A request to `classify` or `regress`, whose rows are `tf.Example`s."""
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    record = PredictionLog()
    request = getattr(record, _FILLED[kind]).request
    request.model_spec.signature_name = kind
    for row in zip(*part.values(), strict=True):
        example = request.input.example_list.examples.add()
        for name, value in zip(part, row, strict=True):
            feature = example.features.feature[name]
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, int):
                    feature.int64_list.value.append(one)
                else:
                    feature.bytes_list.value.append(one.encode() if isinstance(one, str) else one)
    return record


_FILLED = {"classify": "classify_log", "regress": "regress_log"}


def read(folder):
    """Reads a version's warm-up requests as what a session is fed.

    Args:
        folder: a version folder.

    Returns:
        List of (signature's name, dict from input to a `TensorProto`), in the order they are
        replayed; empty if there are none.

    Raises:
        UserError: if TensorFlow Serving would refuse the file: it cannot be read, holds more than
            1,000 records, or one of a kind that is not replayed.
    """
    import tensorflow as tf
    from google.protobuf import message
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    path = Path(folder, PLACE)
    if not path.is_file():
        return []
    requests = []
    try:
        for number, content in enumerate(tf.data.TFRecordDataset(str(path))):
            if number == MOST_RECORDS:
                raise UserError(f"{PLACE}: more than {MOST_RECORDS:,} records; keep fewer")
            requests += _asked(PredictionLog.FromString(content.numpy()), number)
    except (tf.errors.DataLossError, message.DecodeError) as error:
        raise UserError(f"{PLACE}: it is no whole file of PredictionLog records") from error
    return requests


def _asked(record, number):
    """(signature's name, inputs) of each question a record asks."""
    kind = record.WhichOneof("log_type")
    log = getattr(record, kind) if kind else None
    if kind == "predict_log":
        return [(_name(log.request.model_spec), dict(log.request.inputs))]
    if kind in _FILLED.values():
        return [(_name(log.request.model_spec), _examples(log.request.input))]
    if kind == "multi_inference_log":
        tasks, given = log.request.tasks, _examples(log.request.input)
        return [(_name(task.model_spec), given) for task in tasks]
    raise UserError(f"{PLACE}: record {number} is {kind or 'empty'}, which is not replayed")


def _name(model_spec):
    return model_spec.signature_name or "serving_default"


def _examples(given):
    """The examples of a request as the one input that classify and regress take."""
    import tensorflow as tf

    if given.WhichOneof("kind") == "example_list_with_context":
        both = given.example_list_with_context
        for example in both.examples:
            example.MergeFrom(both.context)
        examples = both.examples
    else:
        examples = given.example_list.examples
    rows = [example.SerializeToString() for example in examples]
    return {"inputs": tf.make_tensor_proto(rows, tf.string, [len(rows)])}
