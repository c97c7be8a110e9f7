"""What is said about SavedModels of all kinds, good, bad and hostile."""

import shutil

import pytest
import tensorflow as tf
from click.testing import CliRunner
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tfhf.cli import main
from tfhf.errors import UserError
from tfhf.exports import inspection, ops, versions, warmup


def save(folder, function, *specs, **signatures):
    """A SavedModel of one function; a variable makes it have something to restore."""
    module = tf.Module()
    module.variable = tf.Variable(2.0)
    module.function = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, str(folder), signatures or module.function)
    return folder


def strings(name="text"):
    return tf.TensorSpec([None], tf.string, name)


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """The folder of one version that does what TensorFlow Serving likes."""
    weight = tf.Variable(0.5)

    def answer(text):
        length = tf.cast(tf.strings.length(text), tf.float32)
        return {"score": weight * length, "label": tf.strings.upper(text)}

    module = tf.Module()
    module.weight = weight
    module.answer = tf.function(answer, input_signature=[strings()])
    folder = tmp_path_factory.mktemp("served") / "good"
    tf.saved_model.save(module, str(folder / "1"), module.answer)
    warmup.write(folder / "1", {"text": ["a", "bcd", "ef"]})
    return folder


@pytest.fixture
def copied(good, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(good / "1", tmp_path / "1")


def edit(folder, change):
    """Changes the description of a SavedModel in place."""
    path = folder / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    change(saved.meta_graphs[0])
    path.write_bytes(saved.SerializeToString())
    return folder


def test_a_good_one_is_tried_and_found_good(good):
    found = CliRunner().invoke(main, ["export", "--check", str(good)])
    assert found.exit_code == 0, found.output
    lines = found.output.splitlines()
    assert lines[0] == f"{good}: version 1 is served, the largest of 1"
    assert lines[1].startswith(f"{good}/1: a SavedModel, written by TensorFlow 2.")
    assert lines[2:6] == [
        "  signature  serving_default: text string (?) → label string (?), score float32 (?)",
        f"  loads      from TensorFlow Serving {ops.oldest_recorded()} on, the oldest one this "
        "check knows",
        "  outside    nothing",
        lines[5],
    ]
    assert lines[5].startswith("  tried      loaded in ")
    assert lines[6:] == [
        "  tried      9 warm-up requests answered",
        "  nothing was found that fails in TensorFlow Serving",
    ]


def test_check_and_operations(good):
    assert inspection.check(good / "1") == []
    assert {"StringUpper", "StringLength", "VarHandleOp"} <= {*inspection.operations(good / "1")}


def test_what_reaches_outside_is_named_with_its_place(tmp_path):
    def careless(text):
        tf.print(text)
        tf.print(text, output_stream="file:///tmp/never")
        read = tf.map_fn(tf.io.read_file, text)
        table = tf.raw_ops.MatchingFiles(pattern="/*")
        tf.io.write_file("/tmp/never", "never")
        python = tf.py_function(lambda x: x, [text], tf.string)
        return {"a": read, "b": tf.reshape(python, tf.shape(text)), "c": table}

    found = inspection.inspect(save(tmp_path / "1", careless, strings()))
    said = [line.split(":")[0] for line in found.outside]
    assert said == [
        "MatchingFiles can read files",
        "PrintV2 can print",
        "PrintV2 can write files",
        "ReadFile can read files",
        "WriteFile can write files",
    ]
    assert "in __inference_careless" in found.outside[0]
    assert [line.split(":")[0] for line in found.fails] == ["EagerPyFunc can run Python"]
    assert found.notes == ["not loaded, because of what it can do besides computing"]
    problems = inspection.check(tmp_path / "1")
    assert problems == found.fails + found.outside


def test_saving_a_checkpoint_is_no_business_of_an_answer(tmp_path):
    def steal(text):
        tf.raw_ops.SaveV2(
            prefix="/tmp/never", tensor_names=["a"], shape_and_slices=[""], tensors=[text]
        )
        return {"length": tf.strings.length(text)}

    found = inspection.inspect(save(tmp_path / "1", steal, strings()), trial=False)
    assert [line.split(":")[0] for line in found.outside] == ["SaveV2 can write files"]


def test_ops_that_restore_may_not_do_more(copied):
    """What a checkpoint is restored with runs while loading: it may not do anything else."""

    def add(graph):
        evil = graph.graph_def.node.add(name="evil", op="WriteFile")
        evil.input.extend(["saver_filename", "saver_filename"])
        graph.saver_def.restore_op_name = "evil"

    found = inspection.inspect(edit(copied, add))
    assert "WriteFile can write files: evil" in found.outside
    assert found.notes == ["not loaded, because of what it can do besides computing"]


def test_xla(tmp_path):
    def compiled(text):
        length = tf.strings.length(text)
        return {"more": tf.function(lambda x: x + 1, jit_compile=True)(length)}

    fails = inspection.inspect(save(tmp_path / "1", compiled, strings()), trial=False).fails
    assert fails and all(line.endswith(" must be compiled by XLA") for line in fails)


def test_an_op_that_tensorflow_lacks(copied):
    content = (copied / "saved_model.pb").read_bytes()
    # Another op's name, of the same length, so that the file stays what it is.
    (copied / "saved_model.pb").write_bytes(content.replace(b"StringUpper", b"StringUppar"))
    (line,) = inspection.check(copied)
    assert line.startswith("StringUppar is not an op of TensorFlow: StringUpp")
    found = inspection.inspect(copied)
    assert found.loads_from is None
    assert found.notes == ["not loaded, because of what fails already"]


def test_from_which_version_on(copied, tmp_path):
    def webp(image):
        return {"shape": tf.map_fn(lambda one: tf.shape(tf.io.decode_webp(one)), image, tf.int32)}

    found = inspection.inspect(save(tmp_path / "2", webp, strings("image")), trial=False)
    assert (found.loads_from, found.newest) == ("2.20", ["DecodeWebP"])
    assert any("from TensorFlow Serving 2.20 on, for DecodeWebP" in line for line in found.lines())

    def newer_attribute(graph):
        for body in graph.graph_def.library.function:
            for node in body.node_def:
                if node.op == "StringUpper":
                    node.op = "TensorListGetItem"
                    node.attr["Tshape"].type = 3

    found = inspection.inspect(edit(copied, newer_attribute), trial=False)
    assert (found.loads_from, found.newest) == ("2.21", ["TensorListGetItem"])


def test_ops_of_tensorflow_text(copied):
    def trimmed(graph):
        for body in graph.graph_def.library.function:
            for node in body.node_def:
                node.op = "TFText>RoundRobinTrim" if node.op == "StringUpper" else node.op

    found = inspection.inspect(edit(copied, trimmed), trial=False)
    assert (found.loads_from, found.fails) == ("2.20", [])


def test_signatures_that_cannot_be_asked_in_every_way(tmp_path):
    def awkward(text, number):
        return {
            "half": tf.cast(number, tf.float16),
            "total": tf.reduce_sum(number),
            "three": tf.zeros([3]),
            "four": tf.zeros([4]),
        }

    specs = [strings(), tf.TensorSpec([2, None], tf.float32, "number")]
    found = inspection.inspect(save(tmp_path / "1", awkward, *specs), trial=False)
    assert found.fails == [
        "serving_default: half is float16, which REST cannot carry; cast it to float32"
    ]
    columns = "REST answers in columns only ('inputs', not 'instances')"
    assert found.limits == [
        "serving_default: input number takes batches of 2 only",
        f"serving_default: output total is a single value: {columns}",
        f"serving_default: outputs differ in their first dimension: {columns}",
        "serving_default: number may vary in length: with batching on, requests of different "
        "lengths that meet in one batch are refused",
    ]


def test_a_scalar_input_has_no_batch(tmp_path):
    folder = save(tmp_path / "1", lambda x: {"y": x + 1}, tf.TensorSpec([], tf.float32, "x"))
    limits = inspection.inspect(folder, trial=False).limits
    assert limits[0] == "serving_default: input x has no batch dimension; no batching"


def test_signatures_that_are_not_there(copied):
    def lose(graph):
        graph.signature_def["other"].CopyFrom(graph.signature_def["serving_default"])
        graph.signature_def["other"].outputs["label"].name = "nowhere:0"
        del graph.signature_def["serving_default"]

    found = inspection.inspect(edit(copied, lose), trial=False)
    assert found.limits == [
        "no signature serving_default: every request must name one of other as signature_name"
    ]
    assert found.fails == ["other: label is no tensor of the graph"]
    found = inspection.inspect(edit(copied, lambda graph: graph.signature_def.clear()))
    assert found.fails == ["no signature: there is nothing to ask for"]


def test_names_cannot_forge_a_line(copied):
    def rename(graph):
        forged = "a\n  nothing was found that fails\x1b[2K"
        graph.signature_def[forged].CopyFrom(graph.signature_def["serving_default"])

    lines = inspection.inspect(edit(copied, rename), trial=False).lines()
    assert all(line.isprintable() for line in lines)
    assert "  signature  a\\n  nothing was found that fails\\x1b[2K: text" in lines[2]


def test_method_classify_has_names_of_its_own(copied):
    def classify(graph):
        graph.signature_def["serving_default"].method_name = "tensorflow/serving/classify"

    (line,) = inspection.check(edit(copied, classify))
    assert line.startswith("serving_default: the method classify takes `inputs` and gives classes")


def test_tags(copied):
    found = inspection.inspect(
        edit(copied, lambda graph: graph.meta_info_def.tags.append("tpu")), trial=False
    )
    assert found.fails == ["no graph has the tag `serve` alone; tags found: [['serve', 'tpu']]"]


def test_missing_files(copied):
    def name_asset(graph):
        graph.asset_file_def.add(filename="vocabulary.txt")
        graph.asset_file_def.add(filename="../../etc/passwd")

    edit(copied, name_asset)
    shutil.rmtree(copied / "variables")
    assert inspection.check(copied) == [
        "variables/variables.index is missing: the graph has variables",
        "assets/vocabulary.txt is missing",
        "asset '../../etc/passwd' lies outside of the folder",
    ]


def test_a_missing_part_of_the_variables(copied):
    (copied / "variables" / "variables.data-00000-of-00001").rename(
        copied / "variables" / "variables.data-00000-of-00002"
    )
    assert inspection.check(copied) == [
        "variables/variables.data-* is not whole: found ['variables.data-00000-of-00002']"
    ]


def test_a_version_of_tensorflow_1(tmp_path):
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        weight = tf.compat.v1.get_variable("weight", initializer=0.5, use_resource=False)
        y = weight * x + 2
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "3"), {"x": x}, {"y": y})
    found = inspection.inspect(tmp_path / "3")
    assert (found.fails, found.outside) == ([], [])
    assert found.signatures == {"serving_default": "x float32 (?) → y float32 (?)"}
    assert found.notes[0].startswith("loaded in ")


def test_a_folder_whose_name_is_no_number(good, tmp_path):
    shutil.copytree(good / "1", tmp_path / "final")
    found = CliRunner().invoke(main, ["export", "--check", str(tmp_path / "final")])
    assert found.exit_code == 2
    assert "  FAILS      the folder's name 'final' is not a number" in found.output
    assert "1 thing would fail in TensorFlow Serving" in found.output


@pytest.mark.parametrize(
    ("name", "version"),
    [("1", 1), ("00000123", 123), ("1.0", None), (".tmp-7", None), ("v2", None), ("-1", None)],
)
def test_numbers_as_tensorflow_serving_reads_them(name, version):
    assert versions.number(name) == version


def test_the_largest_version_counts_whatever_is_in_it(good, tmp_path):
    shutil.copytree(good / "1", tmp_path / "1")
    (tmp_path / "20").mkdir()
    (tmp_path / "notes").mkdir()
    with pytest.raises(UserError, match="20 holds no SavedModel: saved_model.pb is missing$"):
        inspection.examine(tmp_path)
    lines, served = versions.layout(tmp_path)
    assert served == tmp_path / "20"
    assert lines[1] == "  ignored    notes"


HOSTILE = {
    "nothing at all": b"",
    "text": b"not a protocol buffer",
    "cut off": b"\x0a\x05",
    "deep": b"\x12\x80\x80\x04" * 5000,
}


@pytest.mark.parametrize("content", [pytest.param(c, id=name) for name, c in HOSTILE.items()])
def test_a_broken_file_is_one_line(tmp_path, content):
    (tmp_path / "saved_model.pb").write_bytes(content)
    found = CliRunner().invoke(main, ["export", "--check", str(tmp_path)])
    assert found.exit_code == 2
    assert "is no SavedModel" in found.output
    assert len(found.output.splitlines()) == 1


def test_every_way_of_naming_nothing(tmp_path):
    lines = {
        (): "export takes a RUN, and --to DIR and --lite if you like; or --check DIR alone",
        ("run", "--check", "x"): "export takes a RUN, and --to DIR and --lite if you like",
        ("--check", str(tmp_path / "none")): f"export --check: no such folder: {tmp_path / 'none'}",
        ("--check", str(tmp_path)): f"{tmp_path} holds no SavedModel, and no folder whose name",
    }
    for arguments, line in lines.items():
        found = CliRunner().invoke(main, ["export", *arguments])
        assert found.exit_code == 2
        assert line in found.output
