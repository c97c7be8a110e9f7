// Answers as people read them: one function for each kind, from (model, values, answers) to elements.
//
// `values` is what was asked, from field to value; `answers` has an object from output to value for
// each row that was asked. All rows but those of `ranking` are one.

import { bars, element, marked, percent, soft } from "./elements.js";

const SHOWN = 10;  // classes that are shown at once
const MASK = /\[MASK\]|<mask>/;
const COLOURS = 8;

/** The most likely of some classes: bars, the first ten of them. */
export function classes(model, values, [answer]) {
  if (!answer.probabilities) return [headline(answer.score.toFixed(3), "score")];
  const several = model.config?.problem_type === "multi_label_classification";
  const threshold = several ? settings(model).threshold ?? 0.5 : null;
  const lines = answer.probabilities.map((score, index) => ({
    label: model.classes?.[index] ?? `class ${index}`,
    score,
    chosen: several ? score >= threshold : (model.classes?.[index] ?? index) === answer.label,
  })).sort((a, b) => b.score - a.score);
  const chosen = lines.filter((line) => line.chosen).map((line) => line.label);
  const counted = several ? `labels from ${percent(threshold)} on` : percent(answer.score);
  return [headline(chosen.join(", ") || "none", counted), ...folded(lines)];
}

/** Candidates as they were ranked by the model. */
export function candidates(model, values, [answer]) {
  const lines = answer.labels.map((label, index) => (
    { label, score: answer.scores[index], chosen: index === 0 }
  )).filter((line) => line.label);
  return [headline(lines[0].label, percent(lines[0].score)), ...folded(lines)];
}

/** Choices in the order in which they were given. */
export function choices(model, values, [answer]) {
  const lines = values.choices.map((label, index) => (
    { label, score: answer.probabilities[index], chosen: index === answer.choice }
  ));
  return [headline(answer.label, percent(answer.score)), bars(lines)];
}

/** The text with its entities marked, and the list of them. */
export function entities(model, { text }, [answer]) {
  const found = answer.entity_group.map((kind, index) => ({
    kind, word: answer.word[index], score: answer.score[index],
    start: answer.start[index], end: answer.end[index],
  })).filter((one) => one.end > one.start);
  const known = (model.classes ?? []).map((name) => name.replace(/^[A-Z]-/, ""));
  const kinds = [...new Set([...known, ...found.map((one) => one.kind)])].filter((kind) => kind !== "O");
  const colour = (kind) => `k${kinds.indexOf(kind) % COLOURS}`;
  const shown = marked(text, found, (part, one) => element("mark",
    { className: colour(one.kind), title: percent(one.score) },
    part, "\u00a0", element("small", {}, one.kind)));
  if (!found.length) return [shown, soft("Nothing was found in the text.")];
  return [shown, bars(found.map(({ kind, word, score }) => ({
    score,
    label: element("span", {}, word, " ", element("small", { className: `tag ${colour(kind)}` }, kind)),
  })))];
}

/** The answer, and where it stands in the context. */
export function span(model, { context }, [answer]) {
  if (!answer.answer) {
    const share = percent(answer.no_answer_probability);
    return [headline("No answer", `${share} sure that the context has none`), marked(context, [])];
  }
  const mark = element("mark", { className: "k0" });
  const shown = marked(context, [answer], (part) => { mark.append(part); return mark; });
  return [headline(answer.answer, percent(answer.score)), shown];
}

/** The text with its masks filled, and the guesses for each of them. */
export function masks(model, { text }, [answer]) {
  const found = answer.token_str
    .map((words, index) => words.map((word, rank) => (
      { label: word.trim() || JSON.stringify(word), score: answer.score[index][rank], chosen: rank === 0 })))
    .filter((lines) => lines[0]?.score);
  if (!found.length) return [soft("The text has no mask to fill.")];
  const parts = text.split(MASK);
  const filled = parts.length === found.length + 1
    ? parts.flatMap((part, index) => (
      index ? [element("mark", { className: "k0" }, found[index - 1][0].label), part] : [part]))
    : [answer.sequence];
  return [element("p", { className: "text" }, ...filled), ...found.flatMap((lines, index) => (
    found.length > 1 ? [element("h3", {}, `Mask ${index + 1}`), bars(lines)] : [bars(lines)]))];
}

/** What was generated; behind its prompt, where it goes on with one. */
export function generated(model, values, [answer], running) {
  const name = Object.keys(answer).find((key) => key.endsWith("_text"));
  const texts = [answer[name]].flat().concat(answer.alternatives ?? []);
  const goesOn = (settings(model).format ?? "text") === "text";
  return texts.map((text, index) => element("p", { className: "text" },
    element("span", { className: "soft" }, goesOn ? values.prompt ?? "" : ""),
    // Half a character is not shown before its other half is there.
    element("span", { className: running ? "new running" : "new" }, running ? text.replace(/\ufffd+$/, "") : text),
    index ? element("small", { className: "soft" }, ` (${index + 1})`) : ""));
}

/** Passages by how like the query they are. */
export function ranking(model, { passages }, [query, ...found]) {
  if (!passages.length) {
    const numbers = query.embedding.slice(0, 8).map((value) => value.toFixed(3)).join(", ");
    return [headline(`${query.embedding.length} numbers`, "no passages to rank"), soft(`${numbers}, …`)];
  }
  const lines = found.map(({ embedding }, index) => {
    const score = cosine(query.embedding, embedding);
    return { label: passages[index], score, value: score.toFixed(3) };
  });
  lines.sort((a, b) => b.score - a.score);
  lines[0].chosen = true;
  const ranked = bars(lines);
  ranked.classList.add("passages");
  return [soft("Cosine similarity to the text"), ranked];
}

/** Whatever a model says that tfhf knows nothing of. */
export function anything(model, values, answers) {
  return [element("pre", { tabIndex: 0 }, JSON.stringify(answers, null, 2))];
}

function cosine(a, b) {
  const dot = (x, y) => x.reduce((sum, value, index) => sum + value * y[index], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b) || 1);
}

/** The options that the model was trained with. */
const settings = (model) => model.config?.task_specific_params?.[`tfhf.${model.task}`] ?? {};

const headline = (text, beside) => element("p", { className: "headline" },
  element("strong", {}, text), " ", element("span", { className: "soft" }, beside));

function folded(lines) {
  const rest = lines.slice(SHOWN);
  if (!rest.length) return [bars(lines)];
  return [bars(lines.slice(0, SHOWN)),
    element("details", {}, element("summary", {}, `${rest.length} more`), bars(rest))];
}
