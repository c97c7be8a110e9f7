// The form: a field for each input of a model.

import { element } from "./elements.js";

const LISTED = "one per line or paragraph";
// In the order in which they stand; inputs of other names follow.
const ROLES = {
  premise: { title: "Premise", rows: 3 },
  question: { title: "Question", rows: 2 },
  context: { title: "Context", rows: 8 },
  text: { title: "Text", rows: 4 },
  text_pair: { title: "Second text", rows: 4 },
  source: { title: "Text", rows: 8 },
  prompt: { title: "Beginning", rows: 5, optional: true },
  candidate_labels: { title: "Labels", rows: 4, hint: LISTED },
  choices: { title: "Choices", rows: 4, hint: LISTED },
  passages: { title: "Passages to rank", rows: 8, hint: LISTED, optional: true },
  image_bytes: { title: "Image", hint: "choose, drop or paste one" },
  seed: { title: "Seed", hint: "another number, another text" },
};

/** The fields of a model.
 *
 * @param titles  input → title, where the task has a better one.
 * @returns  objects with `name`, `element`, `read()` (a promise of the value, as REST takes it) and
 *     `write(value)`.
 */
export function fieldsOf(model, titles = {}) {
  const inputs = { ...model.signatures.serving_default?.inputs };
  if (model.task === "embedding") inputs.passages = { dtype: "string", rank: 2 };
  const order = Object.keys(ROLES);
  const place = (name) => (order.indexOf(name) + order.length + 1) % (order.length + 1);
  return Object.keys(inputs)
    .sort((a, b) => place(a) - place(b))
    .map((name) => {
      const role = { title: name, rows: 4, ...ROLES[name] };
      return fieldOf(name, inputs[name], { ...role, title: titles[name] ?? role.title });
    });
}

function fieldOf(name, { dtype, rank }, role) {
  const text = dtype === "string";
  if (text && name.endsWith("_bytes")) return imageField(name, role);
  if (text && rank === 2) return textField(name, { hint: LISTED, ...role }, parts, joined);
  if (text && rank <= 1) return textField(name, role, String, String);
  if (rank === 1) return numberField(name, role);
  return textField(name, { hint: `JSON of ${dtype}`, ...role }, JSON.parse, JSON.stringify);
}

function textField(name, role, parse, print) {
  const area = element("textarea", {
    id: `field-${name}`, name, rows: role.rows, required: !role.optional, spellcheck: false,
  });
  area.style.minHeight = `${1.5 * role.rows + 1}rem`;
  return field(area, role, async () => parse(area.value), (value) => { area.value = print(value); });
}

function numberField(name, role) {
  const input = element("input", {
    id: `field-${name}`, name, type: "number", step: "any", value: "0", required: true,
  });
  return field(input, role, async () => input.valueAsNumber, (value) => { input.value = value; });
}

const field = (control, role, read, write) => (
  { name: control.name, element: labelled(control, role), read, write });

const joined = (values) => values.join(values.some((value) => value.includes("\n")) ? "\n\n" : "\n");

/** Paragraphs where empty lines divide a text, else its lines. */
function parts(text) {
  const divider = /\n\s*\n/.test(text.trim()) ? /\n\s*\n/ : /\n/;
  return text.split(divider).map((part) => part.trim()).filter(Boolean);
}

function imageField(name, role) {
  const input = element("input", {
    id: `field-${name}`, name, type: "file", accept: "image/*", required: true,
  });
  const preview = element("img", { alt: "The chosen image", hidden: true });
  input.addEventListener("change", () => {
    URL.revokeObjectURL(preview.src);
    preview.hidden = !input.files.length;
    if (input.files.length) preview.src = URL.createObjectURL(input.files[0]);
  });
  const choose = (file) => {
    const chosen = new DataTransfer();
    chosen.items.add(file);
    input.files = chosen.files;
    input.dispatchEvent(new Event("change"));
  };
  return {
    name,
    element: element("div", {}, labelled(input, role), preview),
    read: async () => ({ b64: await base64(input.files[0]) }),
    write: ({ b64 }) => choose(new File([blobOf(b64)], "example")),
    paste: (file) => choose(file),
  };
}

function labelled(control, { title, hint, optional }) {
  const said = [hint, optional && "optional"].filter(Boolean).join("; ");
  return element("label", {}, element("span", { className: "title" }, title),
    ...(said ? [" ", element("span", { className: "soft" }, `(${said})`)] : []), control);
}

/** The content of a file in base64. */
export function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result.split(",")[1] ?? ""));
    reader.addEventListener("error", () => reject(new Error("The file cannot be read.")));
    reader.readAsDataURL(file);
  });
}

/** What base64 stands for, as a blob. */
export function blobOf(text) {
  return new Blob([Uint8Array.from(atob(text), (character) => character.charCodeAt(0))]);
}
