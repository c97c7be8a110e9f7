// Questions to the server, by the REST interface that everybody has.

const FIRST_STEPS = 2, MOST_STEPS = 64;  // tokens that are asked for at once
const QUICK = 150, SLOW = 500;  // milliseconds: fewer, more tokens are asked for the next time

/** The address of a model, relative to the page. */
export function address(model) {
  const name = `v1/models/${encodeURIComponent(model.name)}`;
  return model.newest ? name : `${name}/versions/${model.version}`;
}

/** The body of a question to a signature. */
export function body(rows, signature = "serving_default") {
  return JSON.stringify({ signature_name: signature, instances: rows });
}

/** Asks a signature.
 *
 * @param rows  an object for each, from input to value.
 * @returns  an object for each row, from output to value.
 * @throws  Error with the server's words.
 */
export async function predict(model, rows, signal, signature = "serving_default") {
  const sent = { method: "POST", body: body(rows, signature), signal };
  const found = await asked(`${address(model)}:predict`, sent);
  const { outputs } = model.signatures[signature];
  // An only output comes without its name.
  return outputs.length > 1
    ? found.predictions
    : found.predictions.map((value) => ({ [outputs[0]]: value }));
}

/** Generates a text in parts; yields each time what `predict` would, of the text so far. */
export async function* generate(model, row, signal) {
  let steps = FIRST_STEPS, soFar = "", finished = false;
  while (!finished) {
    const start = performance.now();
    const question = { ...row, so_far: soFar, steps };
    const answers = await predict(model, [question], signal, "continue");
    ({ so_far: soFar, finished } = answers[0]);
    yield answers;
    // Every question reads again what there is: many small ones would take longer.
    const took = performance.now() - start;
    if (took < QUICK) steps = Math.min(2 * steps, MOST_STEPS);
    if (took > SLOW) steps = Math.max(Math.round(steps / 2), 1);
  }
}

/** What the server answers to a request, as an object. */
export async function asked(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error("The server cannot be reached.");
  }
  const found = parsed(await response.text());
  if (response.ok && found) return found;
  throw new Error(found?.error ?? `The server answers ${response.status}, and not as it should.`);
}

/** JSON as the server writes it: with bare words for numbers that are none. */
function parsed(text) {
  try {
    return JSON.parse(text.replace(/("(?:[^"\\]|\\.)*")|-?\b(?:NaN|Infinity)\b/g,
      (word, string) => string ?? "null"));
  } catch {
    return null;
  }
}
