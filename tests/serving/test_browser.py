"""The page in Chromium: typed into, asked, and read, for exports of every kind of task."""

import functools

import numpy as np
import pytest

from tests.conftest import toy_rows
from tests.serving import browser as browsers
from tests.serving.browser import DESKTOP, PHONE
from tests.serving.conftest import predicted
from tests.toys import (
    causal_lm,
    embedding,
    image_classification,
    masked_lm,
    multiple_choice,
    question_answering,
    summarization,
    token_classification,
    zero_shot_classification,
)
from tfhf.serving.configuration import ModelConfig
from tfhf.serving.server import Options, Server

pytestmark = pytest.mark.slow

# Task → options of its toy export, and what makes its rows.
TASKS = {
    "text_classification": ({"max_length": 16}, toy_rows),
    "token_classification": ({"max_length": 16}, token_classification.rows),
    "question_answering": ({"max_length": 24, "stride": 6}, question_answering.rows),
    "embedding": ({"max_length": 16, "loss": "cosent"}, embedding.scored),
    "masked_lm": ({"max_length": 16}, masked_lm.rows),
    "multiple_choice": ({"max_length": 24}, multiple_choice.rows),
    "zero_shot_classification": (
        {"max_length": 24, "candidate_labels": ["warm", "cold"]},
        zero_shot_classification.rows,
    ),
    "image_classification": ({}, image_classification.rows),
    "causal_lm": ({"max_length": 16, "max_new_tokens": 14}, causal_lm.rows),
    "summarization": (
        {"max_length": 16, "generation": {"num_beams": 2, "max_new_tokens": 6}},
        functools.partial(summarization.rows, "summarization"),
    ),
}


def save_names(folder):
    """A model that finds characters 2 to 8, whatever they are, and calls them by HTML."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def serve(text):
        rows = tf.ones_like(text, tf.int32)[:, tf.newaxis]
        fail = tf.debugging.Assert(tf.reduce_all(text != "fail"), ["it <i>fails</i>"])
        with tf.control_dependencies([fail]):
            start, end = rows * [2, 0], rows * [8, 0]
        return {
            "entity_group": tf.where(end > 0, "<b>PER</b>", ""),
            "word": tf.where(end > 0, "any", ""),
            "score": tf.where(end > 0, 0.75, 0.0),
            "start": start,
            "end": end,
        }

    tf.saved_model.save(tf.Module(), str(folder), {"serving_default": serve})
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "task.json").write_text('{"task": "token_classification"}')


def save_endless(folder):
    """A model whose text never ends: a letter for each step."""
    import tensorflow as tf

    texts = {name: tf.TensorSpec([None], tf.string, name) for name in ("prompt", "so_far")}
    steps = tf.TensorSpec([None], tf.int32, "steps")

    @tf.function(input_signature=[texts["prompt"]])
    def serve(prompt):
        return {"generated_text": prompt}

    @tf.function(input_signature=[*texts.values(), steps])
    def go_on(prompt, so_far, steps):
        made = tf.strings.join([so_far, tf.fill(tf.shape(so_far), " 1")])
        text = tf.strings.regex_replace(made, " 1", "x")
        return {"generated_text": text, "so_far": made, "finished": steps < 0}

    signatures = {"serving_default": serve, "continue": go_on}
    tf.saved_model.save(tf.Module(), str(folder), signatures)
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "task.json").write_text('{"task": "causal_lm"}')


def served(models):
    """Yields the port of a server of some models: name → folder of versions."""
    configs = [ModelConfig(name, folder) for name, folder in models.items()]
    server = Server(configs, Options(rest_port=0, grpc_port=None, poll_seconds=3600))
    server.start()
    yield server.rest_port
    server.stop()


@pytest.fixture(scope="module")
def port(export_toy):
    """A server of an export of every task."""
    yield from served({task: export_toy(task, how, rows()) for task, (how, rows) in TASKS.items()})


@pytest.fixture(scope="module")
def other_port(served_models, tmp_path_factory):
    """A server of models that are made by hand."""
    folder = tmp_path_factory.mktemp("by-hand")
    save_names(folder / "names" / "1")
    save_endless(folder / "endless" / "1")
    models = {name: folder / name for name in ("names", "endless")}
    yield from served(models | {"pair": served_models / "pair"})


@pytest.fixture(scope="module")
def chromium():
    with browsers.started() as browser:
        yield browser


def opened(browser, port):
    """Yields the page; at the end nothing may have gone wrong in it, or been forbidden."""
    found = browsers.Page(browser, port)
    found.resize(DESKTOP)
    found.complaints()
    yield found
    # That a request was refused is said, too, and tested where it is meant.
    refused = "the server responded with a status"
    assert [line for line in found.complaints() if refused not in line] == []


@pytest.fixture
def page(chromium, port):
    """The page for exports of tfhf."""
    yield from opened(chromium, port)


@pytest.fixture
def other_page(chromium, other_port):
    """The page for models that are made by hand."""
    yield from opened(chromium, other_port)


def percent(score):
    return f"{100 * score:.1f} %"


# === Typed, asked, read ===


def test_labels_with_bars(page, port):
    page.open("text_classification")
    page.type(text="a warm film, number 7.")
    page.ask()
    (answer,) = predicted(port, "text_classification", [{"text": "a warm film, number 7."}])
    assert page.texts(".headline strong") == [answer["label"]]
    scores = sorted(answer["probabilities"], reverse=True)
    assert page.texts(".bars .value") == [percent(score) for score in scores]
    assert page.texts(".bars .label")[0] == answer["label"]
    widths = page.run("[...document.querySelectorAll('.bar')].map((bar) => bar.style.width)")
    assert [float(width[:-1]) / 100 for width in widths] == pytest.approx(scores, abs=1e-4)
    assert page.one("#time").text.startswith("Answered in ")
    assert page.texts("#command")[0].startswith(
        f"curl {page.address}v1/models/text_classification:predict -d '"
    )


def test_entities_are_marked_in_place(page, port):
    text = "I would see a warm and funny story, a dull bad film?"
    page.open("token_classification")
    page.type(text=text)
    page.ask()
    (answer,) = predicted(port, "token_classification", [{"text": text}])
    found = [
        (text[start:end], kind)
        for kind, start, end in zip(
            answer["entity_group"], answer["start"], answer["end"], strict=True
        )
        if end
    ]
    assert found, "the toy model finds nothing, so nothing is tested"
    assert page.texts("mark") == [f"{part}\xa0{kind}" for part, kind in found]
    (shown,) = page.texts("#shown > .text")
    for part, kind in found:
        shown = shown.replace(f"{part}\xa0{kind}", part, 1)
    assert shown == text
    assert page.texts(".tag") == [kind for _, kind in found]


def test_an_answer_is_marked_in_its_context(page, port):
    row = {"question": "see it again?", "context": "number 1. I would see a great film again."}
    page.open("question_answering")
    page.type(**row)
    page.ask()
    (answer,) = predicted(port, "question_answering", [row])
    assert answer["answer"]
    assert page.texts(".headline strong") == page.texts("mark") == [answer["answer"]]
    assert page.texts("#shown > .text") == [row["context"]]
    before = page.run("document.querySelector('mark').previousSibling.textContent")
    assert before == row["context"][: answer["start"]]


def test_passages_are_ranked(page, port):
    passages = ["a cold story", "great film", "I would see it again"]
    page.open("embedding")
    page.type(text="a warm story", passages="\n".join(passages))
    page.ask()
    found = predicted(port, "embedding", [{"text": text} for text in ["a warm story", *passages]])
    query, *others = np.array(found) / np.linalg.norm(found, axis=1, keepdims=True)
    cosines = others @ query
    order = np.argsort(-cosines)
    assert page.texts(".bars .label") == [passages[place] for place in order]
    assert page.texts(".bars .value") == [f"{cosines[place]:.3f}" for place in order]
    page.type(passages="a cold\nstory\n\ngreat film")
    page.ask()
    assert sorted(page.texts(".bars .label")) == ["a cold\nstory", "great film"]


def test_generated_text_comes_in_parts(page, port):
    page.open("causal_lm")
    assert "continue" in page.run(
        "fetch('page/models.json').then((r) => r.json())"
        ".then((all) => all.find((one) => one.name === 'causal_lm').signatures)"
    )
    page.type(prompt="see it")
    page.run(
        "(window.seen = [], new MutationObserver(() => window.seen.push("
        "document.querySelector('.new').textContent)).observe("
        "document.querySelector('#shown'), {childList: true}), 0)"
    )
    page.ask()
    (whole,) = predicted(port, "causal_lm", [{"prompt": "see it"}])
    assert page.texts("#shown .text") == [f"see it{whole}"]
    seen = page.run("window.seen")
    assert len(seen) > 2
    assert all(later.startswith(earlier) for earlier, later in zip(seen, seen[1:], strict=False))
    assert page.one("#time").text.startswith("First words after ")
    assert not page.texts(".running")


@pytest.mark.parametrize("task", TASKS)
def test_an_example_of_the_run_is_asked(page, port, task):
    page.open(task)
    first = page.one("#examples button")
    first.click()
    page.wait()
    assert not page.texts("[role=alert]")
    assert page.texts("#shown .bars, #shown .text"), page.texts("#shown")
    assert page.texts("#time") != [""]
    kept = "document.querySelector('#fields textarea, #fields input')"
    assert page.run(f"{kept}.value || {kept}.files.length")


def test_a_model_that_tfhf_knows_nothing_of(other_page):
    other_page.open("pair")
    other_page.type(a="1.5", b="2")
    other_page.ask()
    assert '"sum": 3.5' in other_page.texts("#shown pre")[0]


def test_a_text_can_be_stopped(other_page):
    from selenium.webdriver.common.keys import Keys

    other_page.open("endless")
    for stop in (
        lambda: other_page.one("#field-prompt").send_keys(Keys.ESCAPE),
        lambda: other_page.one("#stop").click(),
    ):
        other_page.one("#ask").click()
        other_page.until("document.querySelector('.running')?.textContent.length > 2")
        stop()
        other_page.wait()
        assert other_page.one("#time").text.endswith(" · stopped")
        assert set("".join(other_page.texts(".new"))) == {"x"} and not other_page.texts(".running")
    other_page.one("#ask").click()
    other_page.until("document.querySelector('.running')")
    other_page.one("#models").send_keys("names")  # another model ends it, too
    other_page.until("document.querySelector('#name').textContent === 'names'")
    other_page.wait()
    assert other_page.texts("#shown") == ["The answer appears here."]


# === What may go wrong ===


def test_what_a_model_says_is_text_and_places_are_characters(other_page):
    other_page.open("names")
    text = "😀 <b>é👩‍🚀</b><img src=x onerror=alert(1)>"
    other_page.run("(document.querySelector('#field-text').value = arguments[0], 0)", text)
    other_page.ask()
    assert other_page.texts("mark") == [f"{text[2:8]}\xa0<b>PER</b>"]
    assert other_page.texts("#shown > .text") == [f"{text[:8]}\xa0<b>PER</b>{text[8:]}"]
    assert other_page.run("document.querySelectorAll('#shown b, #shown img').length") == 0


def test_errors_are_told_and_forgotten(other_page):
    other_page.open("names")
    other_page.type(text="fail")
    other_page.ask()
    (told,) = other_page.texts("[role=alert]")
    assert "it <i>fails</i>" in told
    other_page.type(text="as it should be")
    other_page.ask()
    assert not other_page.texts("[role=alert]") and other_page.texts("mark")


def test_a_file_that_is_no_image(page, tmp_path):
    (tmp_path / "no.png").write_text("no image")
    page.open("image_classification")
    page.one("#field-image_bytes").send_keys(str(tmp_path / "no.png"))
    page.ask()
    assert page.texts("[role=alert]") and not page.texts(".bars")


def test_nothing_is_asked_of_an_empty_field(other_page):
    other_page.open("names")
    other_page.ask()
    assert other_page.run("document.activeElement.id") == "field-text"
    assert not other_page.texts("mark")


# === Reached by everybody ===


def test_the_keyboard_alone(page):
    from selenium.webdriver.common.keys import Keys

    page.open("question_answering")
    page.run("(document.activeElement.blur(), 0)")
    reached = []
    body = page.one("body")
    for _ in range(6):
        (page.browser.switch_to.active_element or body).send_keys(Keys.TAB)
        reached.append(page.run("document.activeElement.id || document.activeElement.tagName"))
    assert reached[:4] == ["models", "field-question", "field-context", "ask"]
    assert reached[4:] == ["BUTTON", "BUTTON"]
    page.ask(Keys.ENTER)
    assert page.texts("#shown .text")
    page.one("#models").send_keys("masked")
    page.until("document.querySelector('#name').textContent === 'masked_lm'")
    fields = "[...document.querySelectorAll('textarea, input, select')]"
    assert page.run(f"{fields}.every((field) => field.labels[0]?.textContent.trim())")


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_every_screen_and_can_be_read(page, size, dark):
    page.resize(size, dark=dark)
    for task in ("question_answering", "token_classification", "image_classification"):
        page.open(task)
        page.one("#examples button").click()
        page.wait()
        assert page.run("document.documentElement.scrollWidth") <= size[0], task
        contrasts = page.run(CONTRASTS)
        assert min(contrast for contrast, _ in contrasts) >= 4.5, sorted(contrasts)[:3]


# Of every element with text of its own: contrast with what is behind it, as WCAG 2 defines it.
CONTRASTS = """(() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = numbers(color).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('body *')]
    .filter((one) => one.checkVisibility()
      && [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
    .map((one) => {
      const pair = [luminance(getComputedStyle(one).color), luminance(behind(one))];
      return [(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), one.outerHTML.slice(0, 200)];
    });
})()"""
