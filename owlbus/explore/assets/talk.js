// Requests to the server of this page, and to nowhere else.
import { store, emit, say, tell } from "./store.js";

export class Refused extends Error {
  constructor(status, body) {
    super((body && body.error) || say("refused", status));
    this.status = status;
    this.body = body;
  }
}
async function ask(path, settings) {
  let answer;
  try {
    answer = await fetch(path, Object.assign({ credentials: "same-origin", cache: "no-store" }, settings));
  } catch (error) {
    emit("lost");
    throw new Refused(0, { error: say("lost") });
  }
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => null));
  return answer;
}
const sent = (body) => ({ method: "POST", headers: { "Content-Type": "application/json", "X-Owlbus": "1" }, body: JSON.stringify({ lang: document.documentElement.lang, ...body }) });

export const get = async (path) => (await ask(path)).json();
export const post = async (path, body) => (await ask(path, sent(body))).json();

export async function download(path, body, fallback) { // the file goes to where the browser keeps downloads; without a body it is a GET
  const answer = await ask(path, body === null ? {} : sent(body));
  const named = /filename="?([^";]+)"?/.exec(answer.headers.get("Content-Disposition") || "");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = named ? named[1] : fallback;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  return link.download;
}

// ---------------------------------------------------------------- previews: one on its way, and of those that wait only the latest
let underway = false, waiting = null, generation = 0, good = "";
const nameOf = (edit) => store.state.version + JSON.stringify(edit);
export function preview(edit, since, done) {
  waiting = { edit, since, done, generation };
  if (!underway) next();
}
export function forgetPreviews() {
  waiting = null;
  generation += 1;
}
async function next() {
  underway = true;
  while (waiting) {
    const job = waiting;
    waiting = null;
    let answer = null, error = null;
    try {
      answer = await post("/api/preview", { edit: job.edit, version: store.state.version });
      if (answer.refused) { error = new Error(answer.refused); answer = null; } else good = nameOf(job.edit);
    } catch (caught) {
      error = caught;
    }
    if (job.generation === generation) {
      job.done(answer, error);
      if (answer && job.since) painted(job.since);
    }
  }
  underway = false;
}
function painted(since) { // how long the reader waited, for whoever observes the page's performance
  window.requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      performance.measure("explore-preview", { start: since, end: performance.now() });
      performance.clearMeasures("explore-preview");
    };
    channel.port2.postMessage(null);
  });
}

// ---------------------------------------------------------------- edits
export function accept(state) {
  store.state = state;
  emit("state", state);
}
let turn = Promise.resolve();
function change(path, body) { // one after the other, in the order asked for: a quick second Undo waits and is not lost
  turn = turn.then(() => carryOut(path, body));
  return turn;
}
async function carryOut(path, asked) {
  const body = asked();
  if (!body) return false;
  store.busy = true;
  forgetPreviews();
  try {
    accept(await post(path, body));
    return true;
  } catch (error) {
    const now = error.body && (error.body.state || error.body);
    if (error.status === 409 && now && now.routes) {
      accept(now);
      tell(say("outdated"));
    } else {
      tell(error.message);
      emit("state", store.state);
    }
    return false;
  } finally {
    store.busy = false;
  }
}
export async function apply(edit) { // an edit that was not looked at before is tried first: what does not fit is told in words
  const version = store.state.version;
  try {
    const tried = good === nameOf(edit) ? {} : await post("/api/preview", { edit, version });
    if (tried.refused) { tell(tried.refused); return false; }
  } catch (error) { tell(error.message); return false; }
  if (!(await change("/api/edit", () => ({ edit, version })))) return false;
  const last = [...store.state.history].reverse().find((line) => !line.undone);
  if (last) emit("done", last.text + (last.effect ? ": " + last.effect : ""));
  return true;
}
export const undo = async () => (await change("/api/undo", () => store.state.can_undo && {})) && emit("done", say("undone"));
export const redo = async () => (await change("/api/redo", () => store.state.can_redo && {})) && emit("done", say("redone"));
