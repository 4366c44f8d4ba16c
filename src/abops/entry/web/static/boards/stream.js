// One question to the board; its answers come one a line, in the order Prometheus has them.
import { csrfHeader } from "../js/csrf.js";

export async function ask(uid, question, { onAnswer, signal }) {
  const answer = await fetch(`/api/dashboards/${encodeURIComponent(uid)}/query`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/x-ndjson, application/json",
      ...csrfHeader(),
    },
    body: JSON.stringify(question),
    signal,
  });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.error ?? `the console answered ${answer.status}`);
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) onAnswer(JSON.parse(line));
  }
}
