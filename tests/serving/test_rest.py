"""REST, request by request: status, body and words as TensorFlow Serving has them."""

import base64
import json
import math

import pytest

PREDICTIONS = {"predictions": [2.5, 3.0, 4.5]}
INSTANCES = {"instances": [1.0, 2.0, 5.0]}

ANSWERED = {
    "rows": ("m:predict", INSTANCES, PREDICTIONS),
    "version": ("m/versions/1:predict", INSTANCES, PREDICTIONS),
    "version with zeros": ("m/versions/0001:predict", INSTANCES, PREDICTIONS),
    "label": ("m/labels/stable:predict", INSTANCES, PREDICTIONS),
    "signature": ("m:predict", INSTANCES | {"signature_name": "serving_default"}, PREDICTIONS),
    "columns": ("m:predict", {"inputs": [3.0, 4.0]}, {"outputs": [3.5, 4.0]}),
    "named columns": ("m:predict", {"inputs": {"x": [3.0]}}, {"outputs": [3.5]}),
    "named rows": ("m:predict", {"instances": [{"x": 1.0}, {"x": 2.0}]}, {"predictions": [2.5, 3]}),
    "two dimensions": (
        "m:predict",
        {"instances": [[1.0, 2.0], [3.0, 4.0]]},
        {"predictions": [[2.5, 3.0], [3.5, 4.0]]},
    ),
    "two outputs by row": (
        "pair:predict",
        {"instances": [{"a": 1, "b": 2}, {"b": 4, "a": 3}]},
        {"predictions": [{"product": 2.0, "sum": 3.0}, {"product": 12.0, "sum": 7.0}]},
    ),
    "two outputs by column": (
        "pair:predict",
        {"inputs": {"a": [1, 3], "b": [2, 4]}},
        {"outputs": {"product": [2.0, 12.0], "sum": [3.0, 7.0]}},
    ),
    "one value in columns": (
        "pair:predict",
        {"signature_name": "total", "inputs": {"a": [1, 3], "b": [2, 4]}},
        {"outputs": 10.0},
    ),
    "outputs that differ, in columns": (
        "pair:predict",
        {"signature_name": "uneven", "inputs": {"a": [1, 3], "b": [2, 4]}},
        {"outputs": {"first": [1.0], "sum": [3.0, 7.0]}},
    ),
    "strings": ("texts:predict", {"instances": ["foo", "bär"]}, {"predictions": ["FOO", "BäR"]}),
    "base64": ("texts:predict", {"instances": [{"b64": "aGVsbG8="}]}, {"predictions": ["HELLO"]}),
    "base64 without padding": (
        "texts:predict",
        {"instances": ["a", {"b64": "aGVs\nbG8"}]},
        {"predictions": ["A", "HELLO"]},
    ),
    "base64 in a column": ("texts:predict", {"inputs": {"b64": "aGVs"}}, {"outputs": "HEL"}),
    "base64 by name": (
        "texts:predict",
        {"instances": [{"text": {"b64": "aGVsbG8="}}]},
        {"predictions": ["HELLO"]},
    ),
    "bytes out": (
        "texts:predict",
        {"signature_name": "bytes", "instances": [{"b64": base64.b64encode(b"\xff\0").decode()}]},
        {"predictions": [{"b64": "/wA="}]},
    ),
    "bytes and numbers out": (
        "texts:predict",
        {"signature_name": "both", "instances": ["abc"]},
        {"predictions": [{"length": 3, "text_bytes": {"b64": "YWJj"}}]},
    ),
    "lists of strings out": (
        "texts:predict",
        {"signature_name": "words", "instances": ["a b", 'c "\n\u2028'[:4]]},
        {"predictions": [["a", "b"], ["c", '"']]},
    ),
    "integer for a decimal": ("m:predict", {"instances": [1, 2]}, {"predictions": [2.5, 3.0]}),
    "rounded integer": (
        "types:predict",
        {"signature_name": "float32", "instances": [1435774380]},
        {"predictions": [1.43577434e09]},  # 1435774336 in nine digits
    ),
    "large double": (
        "types:predict",
        {"signature_name": "float64", "instances": [1e300, 0.1]},
        {"predictions": [1e300, 0.1]},
    ),
    "integers": (
        "types:predict",
        {"signature_name": "int64", "instances": [[-(2**63)], [2**63 - 1]]},
        {"predictions": [[-(2**63)], [2**63 - 1]]},
    ),
    "bytes wrap": (
        "types:predict",
        {"signature_name": "uint8", "instances": [255, 256]},
        {"predictions": [255, 0]},
    ),
    "truth values": (
        "types:predict",
        {"signature_name": "bool", "instances": [[True, False]]},
        {"predictions": [[True, False]]},
    ),
    "empty lists": (
        "types:predict",
        {"signature_name": "int32", "instances": [[], []]},
        {"predictions": [[], []]},
    ),
    "an extra column": (
        "pair:predict",
        {"inputs": {"a": [1], "b": [2], "z": ["?"]}},
        {"outputs": {"product": [2.0], "sum": [3.0]}},
    ),
    "encoded name": ("m%21:predict", INSTANCES, PREDICTIONS),
    "path in capitals": ("/V1/Models/m:predict", INSTANCES, PREDICTIONS),
    "classify": (
        "m:classify",
        {"signature_name": "classify", "examples": [{"x": 20.0}]},
        {"results": [[["", 12.0]]]},
    ),
    "classify with labels": (
        "m:classify",
        {"signature_name": "labels", "examples": [{"x": [20.0]}, {"x": 1.0}]},
        {"results": [[["pos", 12.0], ["neg", -12.0]], [["pos", 2.5], ["neg", -2.5]]]},
    ),
    "context": (
        "m/versions/1:classify",
        {
            "signature_name": "classify",
            "context": {"x": 20.0, "added": 1.0},
            "examples": [{}, {"x": 2.0}],
        },
        {"results": [[["", 11.0]], [["", 2.0]]]},
    ),
    "regress": (
        "m/labels/stable:regress",
        {"signature_name": "regress", "examples": [{"x": 80.0}, {"x": 0.0}]},
        {"results": [42.0, 2.0]},
    ),
}


@pytest.mark.parametrize(("path", "body", "reply"), ANSWERED.values(), ids=ANSWERED.keys())
def test_answered(ask, path, body, reply):
    found = ask("POST", path, body)
    assert (found.status, found.json) == (200, reply)


def test_numbers_are_written_as_tensorflow_serving_writes_them(ask):
    numbers = "[9000000, 999999, 0.5, 0.0003, 0.00003, 555557.5, 0.1, 1e38, -0.0]"
    body = b'{"signature_name": "float32", "instances": %s}' % numbers.encode()
    found = ask("POST", "types:predict", body).body.decode()
    assert found == (
        '{\n    "predictions": [9e+06, 999999.0, 0.5, 0.0003, 3e-05, 555557.5, 0.1, 1e+38, -0.0\n'
        "    ]\n}"
    )


def test_objects_are_indented(ask):
    assert ask("POST", "pair:predict", {"instances": [{"a": 1, "b": 2}]}).body.decode() == (
        '{\n    "predictions": [{\n            "product": 2.0,\n            "sum": 3.0\n'
        "        }\n    ]\n}"
    )
    assert ask("POST", "m:predict", {"inputs": [3.0, 4.0]}).body.decode() == (
        '{\n    "outputs": [\n        3.5,\n        4.0\n    ]\n}'
    )


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_what_is_no_number(ask, key):
    body = b'{"%s": [NaN, Infinity, -Infinity, Inf, 1e300, -1e300]}' % key.encode()
    reply = json.loads(ask("POST", "m:predict", body).body)
    values = reply["predictions" if key == "instances" else "outputs"]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf, math.inf, math.inf, -math.inf]
    assert b"[NaN, Infinity" in ask("POST", "m:predict", body.replace(b"inputs", b"instances")).body


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [1.0, 2.0, 5.0]} }, and more',
        b'\xef\xbb\xbf \n{"instances": [1.0, 2.0, 5.0]}',
        b'{"unused": %s, "instances": [1.0, 2.0, 5.0]}' % (b"[" * 500_000 + b"]" * 500_000),
        b'{"unused": %s, "instances": [1.0, 2.0, 5.0]}' % (b'{"a":' * 9_000 + b"1" + b"}" * 9_000),
        b'{"unused": "\xff\xfe", "instances": [1.0, 2.0, 5.0]}',
        b'{"unused": 1%s, "instances": [1.0, 2.0, 5.0]}' % (b"0" * 300),
        b'{"instances": [1.0, 2.0, 5.0], "instances": ["not looked at"]}',
    ],
    ids=["trailing", "mark", "deep list", "deep object", "no UTF-8", "long number", "twice"],
)
def test_json_that_is_read_all_the_same(ask, body):
    found = ask("POST", "m:predict", body)
    assert (found.status, found.json) == (200, PREDICTIONS)


def test_bytes_that_are_no_utf8_come_back_as_they_went(ask):
    found = ask("POST", "texts:predict", b'{"instances": ["\xffa\\ud83d\\ude00"]}')
    assert b'["\xffA\xf0\x9f\x98\x80"' in found.body


REFUSED = {
    "bad base64": ("texts:predict", {"instances": [{"b64": "?"}]}, "Unable to base64 decode"),
    "base64 and more": (
        "texts:predict",
        {"instances": ["a", {"b64": "YQ==", "c": 1}]},
        "Expecting value/list but got object at item 1 of input list",
    ),
    "text for a decimal": (
        "m:predict",
        {"instances": ["x"]},
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: "x" Type: String is not of expected type: float',
    ),
    "decimal for an integer": (
        "types:predict",
        {"signature_name": "int32", "inputs": [2.0]},
        "JSON Value: 2.0 Type: Number is not of expected type: int32",
    ),
    "too large for int32": (
        "types:predict",
        {"signature_name": "int32", "inputs": [2**31]},
        "JSON Value: 2147483648 Type: Number is not of expected type: int32",
    ),
    "truth value for a decimal": (
        "m:predict",
        {"inputs": [True]},
        "JSON Value: true Type: True is not of expected type: float",
    ),
    "nothing": ("m:predict", b"", "JSON Parse error: The document is empty"),
    "no JSON": (
        "m:predict",
        b"instances = [1, 2]",
        "JSON Parse error: Invalid value. at offset: 0",
    ),
    "not ended": (
        "m:predict",
        b'{"instances": [1, 2',
        "JSON Parse error: Missing a comma or ] after an array element. at offset: 19",
    ),
    "too large for a double": (
        "m:predict",
        b'{"instances": [1e999]}',
        "JSON Parse error: Number too big to be stored in double. at offset: 15",
    ),
    "half a pair": (
        "texts:predict",
        b'{"instances": ["\\ud83d"]}',
        "JSON Parse error: The surrogate pair in string is invalid. at offset: 16",
    ),
    "no object": ("m:predict", [1], "JSON Value: [\n    1\n] Is not object"),
    "signature is no text": (
        "m:predict",
        {"signature_name": 100},
        'JSON Value: {\n    "signature_name": 100\n} not formatted correctly. '
        "'signature_name' key must be a string value.",
    ),
    "unknown signature": (
        "m:predict",
        {"signature_name": "zz", "instances": [1]},
        'Serving signature name: "zz" not found in signature def',
    ),
    "rows and columns": (
        "m:predict",
        {"instances": [1], "inputs": [1]},
        "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
    ),
    "neither": ("m:predict", {"predict": [1]}, "Missing 'inputs' or 'instances' key"),
    "no list": ("m:predict", {"instances": 5}, "Expecting 'instances' to be an list/array"),
    "no rows": ("m:predict", {"instances": []}, "No values in 'instances' array"),
    "row of another size": (
        "m:predict",
        {"instances": [[1, 2], [3, 4], [5, 6, 7]]},
        "Failed to process element: 2 of 'instances' list. Error: INVALID_ARGUMENT: "
        "Expecting tensor size: 2 but got: 3",
    ),
    "row of another shape": (
        "m:predict",
        {"instances": [[1, 2], [[3, 4]]]},
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
        "Expecting shape [2] but got: [1,2]",
    ),
    "ragged row": (
        "m:predict",
        {"instances": [[[1, 2], [3]]]},
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    "list among values": (
        "m:predict",
        {"inputs": [1, [2]]},
        "Encountered list at unexpected level: 1 expected < 1",
    ),
    "value among lists": (
        "m:predict",
        {"inputs": [[1], 2]},
        "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
    ),
    "object, then list": (
        "pair:predict",
        {"instances": [{"a": 1, "b": 2}, [3]]},
        "Expecting object but got list at item 1 of input list",
    ),
    "list, then object": (
        "m:predict",
        {"instances": [1, {"x": 2}]},
        "Expecting value/list but got object at item 1 of input list",
    ),
    "several inputs, plain rows": (
        "pair:predict",
        {"instances": [1, 2]},
        "instances is a plain list, but expecting list of objects as multiple input tensors "
        "required as per tensorinfo_map",
    ),
    "several inputs, plain columns": (
        "pair:predict",
        {"inputs": [1, 2]},
        "inputs is a plain value/list, but expecting an object as multiple input tensors "
        "required as per tensorinfo_map",
    ),
    "unknown key": (
        "m:predict",
        {"instances": [{"z": 1}]},
        "Failed to process element: 0 key: z of 'instances' list. Error: INVALID_ARGUMENT: "
        "JSON object: does not have named input: z",
    ),
    "missing key": (
        "pair:predict",
        {"instances": [{"a": 1, "b": 2}, {"a": 1}]},
        "Failed to process element: 1 of 'instances' list. JSON object: "
        '{\n    "a": 1\n} keys must be equal to: a,b',
    ),
    "missing column": (
        "pair:predict",
        {"inputs": {"a": [1]}},
        "Missing named input: b in 'inputs' object.",
    ),
    "too deep for a tensor": (
        "m:predict",
        b'{"instances": %s1%s}' % (b"[" * 400_000, b"]" * 400_000),
        "deep; a tensor has at most 254 dimensions",
    ),
    "unlike lengths": ("pair:predict", {"inputs": {"a": [1, 2, 3], "b": [1, 2]}}, "Incompatible"),
    "rows that differ": (
        "pair:predict",
        {"signature_name": "uneven", "instances": [{"a": 1, "b": 2}, {"a": 1, "b": 2}]},
        "Tensor name: sum has inconsistent batch size: 2 expecting: 1",
    ),
    "one value in rows": (
        "pair:predict",
        {"signature_name": "total", "instances": [{"a": 1, "b": 2}]},
        "Tensor name: total has no shape information ",
    ),
    "half out": (
        "types:predict",
        {"signature_name": "to_half", "instances": [1.0]},
        "Failed to write JSON value for tensor type: half",
    ),
    "the graph's own error": (
        "texts:predict",
        {"signature_name": "broken", "instances": ["no number"]},
        "StringToNumberOp could not correctly convert string: no number",
    ),
    "unknown label": (
        "m/labels/zz:predict",
        INSTANCES,
        "Unrecognized servable version label: zz",
    ),
    "version beyond all": (
        "m/versions/18446744073709551615:predict",
        INSTANCES,
        "Failed to convert version: 18446744073709551615 to numeric.",
    ),
    "no examples": (
        "m:classify",
        {"signature_name": "classify"},
        "When method is classify, key 'examples' is expected and was not found",
    ),
    "examples are no list": (
        "m:regress",
        {"examples": {"x": 1.0}},
        "Expecting 'examples' value to be an list/array",
    ),
    "empty examples": ("m:classify", {"examples": []}, "'examples' value is an empty array"),
    "example is no object": (
        "m:classify",
        {"examples": [1]},
        "Example must be JSON object but got JSON Number",
    ),
    "nothing as a feature": (
        "m:classify",
        {"examples": [{"x": None}]},
        "Feature: x has element with unexpected JSON type: Null",
    ),
    "list of lists as a feature": (
        "m:classify",
        {"examples": [{"x": [[1.0]]}]},
        "Feature: x has element with unexpected JSON type: Array",
    ),
    "integers, then decimals": (
        "m:classify",
        {"examples": [{"names": [1, 2.5]}]},
        "Unexpected element type in feature: names expecting type: int64",
    ),
    "integer beyond int64": (
        "m:classify",
        {"examples": [{"x": 2**63}]},
        "Feature: x has uint64 element. Only int64_t is supported.",
    ),
    "no signature to classify": (
        "m:classify",
        {"signature_name": "zz", "examples": [{}]},
        "No signature was found with the name: zz",
    ),
    "signature does not classify": (
        "m:classify",
        {"examples": [{}]},
        "No classification inputs found in SignatureDef",
    ),
    "signature does not regress": (
        "m:regress",
        {"signature_name": "labels", "examples": [{}]},
        "Expected one output Tensor",
    ),
}


@pytest.mark.parametrize(("path", "body", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(ask, path, body, message):
    found = ask("POST", path, body)
    assert found.status == 400
    assert list(found.json) == ["error"]
    assert message in found.json["error"]
    assert found.body.startswith(b'{\n    "error": "') and found.body.endswith(b'"\n}')


def test_half_precision_in_is_not_implemented(ask):
    reason = "Conversion of JSON Value: 1.5 to type: half"
    found = ask("POST", "types:predict", {"signature_name": "float16", "inputs": [1.5]})
    assert (found.status, found.json) == (501, {"error": reason})
    found = ask("POST", "types:predict", {"signature_name": "float16", "instances": [1.5]})
    assert found.status == 400
    assert found.json["error"].endswith(f"Error: UNIMPLEMENTED: {reason}")


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("foo:predict", "Latest(foo)"),
        ("m/versions/50:predict", "Specific(m, 50)"),
        ("foo:classify", "Latest(foo)"),
        ("foo/versions/50:regress", "Specific(foo, 50)"),
    ],
)
def test_what_is_not_served(ask, path, wanted):
    found = ask("POST", path, INSTANCES | {"examples": [{"x": 1.0}]})
    assert found.status == 404
    assert found.json == {"error": f"Servable not found for request: {wanted}"}


AVAILABLE = {
    "model_version_status": [
        {
            "version": "1",
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
    ]
}


@pytest.mark.parametrize("path", ["m", "m/versions/1", "m/labels/stable", "m%21", "/V1/MODELS/m"])
def test_status(ask, path):
    found = ask("GET", path)
    assert (found.status, found.json) == (200, AVAILABLE)


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("foo", 404, "Could not find any versions of model foo"),
        ("m/versions/9", 404, "Could not find version 9 of model m"),
        ("m/labels/zz", 400, "Unrecognized servable version label: zz"),
        ("/v1/models", 400, "Missing model name in request."),
        ("foo/metadata", 404, "Servable not found for request: Latest(foo)"),
    ],
)
def test_status_of_what_is_not_there(ask, path, status, message):
    found = ask("GET", path)
    assert (found.status, found.json) == (status, {"error": message})


@pytest.mark.parametrize(
    "path", ["m/metadata", "m/versions/1/metadata", "m/labels/stable/metadata"]
)
def test_metadata(ask, path):
    found = ask("GET", path)
    assert found.status == 200
    assert found.json["model_spec"] == {"name": "m", "signature_name": "", "version": "1"}
    signatures = found.json["metadata"]["signature_def"]["signature_def"]
    named = {"serving_default", "classify", "labels", "regress"}
    assert set(signatures) == named | {"__saved_model_init_op"}
    x = signatures["serving_default"]["inputs"]["x"]
    assert x["dtype"] == "DT_FLOAT"
    assert x["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "m/metadata"),
        ("GET", "m:predict"),
        ("POST", "m/version/1:predict"),
        ("POST", "m/versions/HELLO:predict"),
        ("POST", "m/versions/1/labels/stable:predict"),
        ("POST", "m:Predict"),
        ("POST", "m:explain"),
        ("POST", "/v1/foo"),
        ("GET", "/v1/foo"),
        ("PUT", "m:predict"),
        ("DELETE", "m"),
    ],
)
def test_malformed(ask, method, path):
    found = ask(method, path, INSTANCES if method in ("POST", "PUT") else None)
    path = path if path.startswith("/") else f"/v1/models/{path}"
    assert (found.status, found.json) == (400, {"error": f"Malformed request: {method} {path}"})


@pytest.mark.parametrize("path", ["/", "/foo", "/v1", "/v2/models/m"])
def test_what_is_not_under_v1(ask, path):
    found = ask("GET", path)
    if path == "/" and found.status == 200:
        assert found.headers["content-type"] == "text/html; charset=utf-8"
        return
    assert (found.status, found.json) == (404, {"error": f"Not found: GET {path}"})
