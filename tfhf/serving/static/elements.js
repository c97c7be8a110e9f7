// Elements made without HTML: what a model says is text, whatever stands in it.

/** An element with properties (`className`, `title` …) and children: elements or texts. */
export function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** A text with some of its parts marked.
 *
 * Places are counted in characters (code points), as models count them; JavaScript's own count
 * has two for each emoji.
 *
 * @param spans  objects with `start` and `end`; overlapping ones lose to those before them.
 * @param mark  makes the element for (text of the span, span).
 */
export function marked(text, spans, mark) {
  const characters = [...text];
  const part = (start, end) => characters.slice(start, end).join("");
  const found = [];
  let at = 0;
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    if (span.start < at) continue;
    found.push(part(at, span.start), mark(part(span.start, span.end), span));
    at = span.end;
  }
  return element("p", { className: "text" }, ...found, part(at));
}

/** Labels with a bar each.
 *
 * @param lines  objects with `label` (text or element), `score` from 0 to 1, and optionally
 *     `chosen`, and `value`, what is written in place of the score in per cent.
 */
export function bars(lines) {
  return element("ol", { className: "bars" }, ...lines.map(({ label, score, chosen, value }) => {
    const bar = element("span", { className: "bar" });
    bar.style.width = `${100 * Math.min(Math.max(score, 0), 1)}%`;
    return element("li", { className: chosen ? "chosen" : "" },
      element("span", { className: "label" }, label),
      element("span", { className: "track", ariaHidden: "true" }, bar),
      element("span", { className: "value" }, value ?? percent(score)));
  }));
}

export const percent = (score) => `${(100 * score).toFixed(1)} %`;

export const soft = (text) => element("p", { className: "soft" }, text);
