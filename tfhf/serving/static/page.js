// The page: which models there are, what is asked, and what comes back.

import * as answers from "./answers.js";
import { address, asked, body, generate, predict } from "./asking.js";
import { element } from "./elements.js";
import { blobOf, fieldsOf } from "./fields.js";

// What each task's button says, how its answers are drawn, and titles of its fields.
const TASKS = {
  text_classification: { verb: "Classify", draw: answers.classes },
  image_classification: { verb: "Classify", draw: answers.classes },
  zero_shot_classification: { verb: "Classify", draw: answers.candidates },
  multiple_choice: { verb: "Choose", draw: answers.choices },
  token_classification: { verb: "Find entities", draw: answers.entities },
  question_answering: { verb: "Answer", draw: answers.span },
  masked_lm: { verb: "Fill", draw: answers.masks, titles: { text: "Text with a mask" } },
  embedding: { verb: "Rank", draw: answers.ranking, titles: { text: "Text to compare with" } },
  causal_lm: { verb: "Continue", draw: answers.generated },
  summarization: { verb: "Summarize", draw: answers.generated },
  translation: { verb: "Translate", draw: answers.generated },
  text2text: { verb: "Generate", draw: answers.generated },
};
const OTHER = { verb: "Ask", draw: answers.anything };
const LONGEST_COMMAND = 1000, LONGEST_REPLY = 20000, LONGEST_EXAMPLE = 160, LONGEST_ERROR = 2000;  // characters

const $ = (id) => document.getElementById(id);
const taskOf = (model) => TASKS[model.task] ?? OTHER;
let model, fields, running;

// === Models ===

async function start() {
  const models = await asked("page/models.json");
  if (!models.length) throw new Error("No model can answer at the moment.");
  const names = models.map(titleOf);
  $("models").append(...names.map((name) => element("option", {}, name)));
  $("choice").hidden = models.length < 2;
  const named = () => {
    const index = Math.max(names.indexOf(decodeURIComponent(location.hash.slice(1))), 0);
    $("models").selectedIndex = index;
    show(models[index]);
  };
  $("models").addEventListener("change", ({ target }) => { location.hash = encodeURIComponent(target.value); });
  window.addEventListener("hashchange", named);
  named();
}

const titleOf = ({ name, version, newest }) => (newest ? name : `${name} (version ${version})`);

function show(chosen) {
  running?.abort();
  running = null;
  setBusy(false);
  model = chosen;
  const { verb, titles } = taskOf(model);
  document.title = `${titleOf(model)} · tfhf`;
  $("name").textContent = model.name;
  $("about").textContent = [
    model.task?.replaceAll("_", " "),
    `version ${[model.version, ...model.labels].join(", ")}`,
    model.classes && `${model.classes.length} classes`,
  ].filter(Boolean).join(" · ");
  $("verb").textContent = verb;
  fields = fieldsOf(model, titles);
  $("form").hidden = false;
  $("fields").replaceChildren(...fields.map((field) => field.element));
  showExamples();
  $("shown").replaceChildren(element("p", { className: "soft" }, "The answer appears here."));
  $("time").textContent = "";
  $("terminal").hidden = true;
}

// === Examples ===

function showExamples() {
  const rows = model.examples;
  $("examples").hidden = !rows.length;
  $("examples").querySelector("ul").replaceChildren(...rows.map((row) => {
    const button = element("button", { type: "button" }, ...excerpt(row));
    button.addEventListener("click", () => {
      const others = rows.filter((other) => other !== row).map((other) => other.text);
      for (const field of fields) field.write(field.name === "passages" ? others : row[field.name]);
      ask();
    });
    return element("li", {}, button);
  }));
}

/** An example in a line, or as a picture. */
function excerpt(row) {
  return fields.filter(({ name }) => name in row && name !== "seed").flatMap(({ name }, index) => {
    const value = row[name];
    if (value.b64) {
      const picture = element("img", { alt: "An example", src: URL.createObjectURL(blobOf(value.b64)) });
      picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
      return [picture];
    }
    const text = typeof value === "string" ? value : [value].flat().join(", ");
    const short = [...text].slice(0, LONGEST_EXAMPLE).join("");
    return [element("span", { className: index ? "soft" : "" }, short || "(empty)")];
  });
}

// === Asking ===

async function ask() {
  running?.abort();
  const mine = running = new AbortController();
  const { draw } = taskOf(model);
  const current = () => running === mine;
  setBusy(true);
  try {
    const read = await Promise.all(fields.map(async (field) => [field.name, await field.read()]));
    const values = Object.fromEntries(read);
    const rows = rowsOf(values);
    const streamed = "continue" in model.signatures;
    const start = performance.now();
    let first;
    for await (const found of streamed ? generate(model, rows[0], mine.signal) : [predict(model, rows, mine.signal)]) {
      if (!current()) return;
      const took = performance.now() - start;
      const unfinished = streamed && !found[0].finished;
      $("shown").replaceChildren(...draw(model, values, found, unfinished));
      first ??= took;
      $("time").textContent = streamed ? pace(found[0], first, took) : `Answered in ${duration(took)}`;
      if (!unfinished) showTerminal(rows, found);
    }
  } catch (error) {
    if (current()) fail(error);
  } finally {
    if (current()) setBusy(false);
  }
}

/** What is asked: the fields as one row, or the texts that are compared as a row each. */
function rowsOf({ passages, ...row }) {
  return passages ? [row, ...passages.map((text) => ({ text }))] : [row];
}

function setBusy(busy) {
  $("answer").ariaBusy = String(busy);
  $("stop").hidden = !busy;
  if (busy) $("answer").scrollIntoView({ block: "nearest" });
}

function fail(error) {
  if (error.name === "AbortError") {
    $("time").textContent += " · stopped";
    for (const caret of document.querySelectorAll(".running")) caret.classList.remove("running");
    return;
  }
  const words = error.message.slice(0, LONGEST_ERROR);
  $("shown").replaceChildren(element("p", { className: "error", role: "alert" }, words));
  $("time").textContent = "";
}

function pace(answer, first, took) {
  const tokens = answer.so_far ? answer.so_far.split(" ").length : 0;
  return `First words after ${duration(first)}, ${tokens} tokens in ${duration(took)}`;
}

const duration = (milliseconds) => (
  milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`);

function showTerminal(rows, found) {
  const url = new URL(`${address(model)}:predict`, document.baseURI).href;
  const sent = body(rows);
  const quoted = sent.length > LONGEST_COMMAND ? "@request.json" : `'${sent.replaceAll("'", "'\\''")}'`;
  $("command").textContent = `curl ${url} -d ${quoted}`;
  $("reply").textContent = JSON.stringify(found, null, 2).slice(0, LONGEST_REPLY);
  $("terminal").hidden = false;
}

// === Events ===

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
$("stop").addEventListener("click", () => running?.abort());
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
  if (event.key === "Escape") running?.abort();
});
document.addEventListener("paste", ({ clipboardData }) => {
  const image = [...clipboardData.files].find((file) => file.type.startsWith("image/"));
  if (image) fields.find((field) => field.paste)?.paste(image);
});
start().catch(fail);
