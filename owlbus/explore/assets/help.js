// Ideas: the best next changes, a short search around locked routes, a comparison with another run; and headways of a route.
import { store, on, emit, say, element, button, byId, canEdit, speak, tell, tint } from "./store.js";
import { post, apply, accept, forgetPreviews } from "./talk.js";
import { back } from "./drag.js";
import { hovering } from "./place.js";
import { openDialog, table } from "./dialog.js";
import { stringLine } from "./string_line.js";
import * as sight from "./view.js";

const parts = {};
let searching = null; // what the running or ended search told last

export function listen() {
  ["suggest", "improve", "compare"].forEach((name) => { parts[name] = element("section", { className: "idea-part" }); });
  byId("pane-ideas").replaceChildren(parts.suggest, parts.improve, parts.compare);
  renderSuggest(null);
  renderImprove();
  renderCompare();
  on("state", (state) => { if (ideas && ideas.version !== state.version) renderSuggest(null); if (!searching) renderImprove(); renderCompareTools(); });
  on("improve", incumbent);
  on("headways", headways);
}

// ---------------------------------------------------------------- suggestions
let ideas = null;
const CUTS = new Set(["cut", "straight"]);
function renderSuggest(told, problem = "") {
  ideas = told;
  const list = told && (told.changes.length ? element("div", {}, ...group("ideasGain", (kind) => !CUTS.has(kind)), ...group("ideasCut", (kind) => CUTS.has(kind))) : element("p", { className: "note", text: say("noIdeas") }));
  parts.suggest.replaceChildren(element("h2", { text: say("suggest") }), element("p", { className: "note", text: say("suggestNote") }),
    element("div", { className: "actions" }, button(say("suggestDo"), suggest, { disabled: !canEdit() })), problem ? element("p", { className: "problem", text: problem }) : "", list || "");
}
function group(key, wanted) { // those that gain, and those that save kilometres at least loss
  const changes = ideas.changes.filter((change) => wanted(change.kind));
  return changes.length ? [element("h3", { text: say(key) }), element("ul", { className: "ideas" }, ...changes.map(idea))] : [];
}
function idea(change) {
  const made = element("button", { type: "button", className: "idea", disabled: !canEdit() }, element("span", { text: change.text }), element("span", { className: "effect", text: change.effect }));
  made.addEventListener("click", async () => { if (await apply(change.edit)) suggest(); else back(); });
  return element("li", {}, hovering(made, change.edit));
}
async function suggest() {
  parts.suggest.querySelector("button").disabled = true;
  parts.suggest.append(element("p", { className: "note counting", text: say("counting") }));
  const version = store.state.version;
  try {
    const told = await post("/api/suggest", { version });
    renderSuggest(Object.assign({ version }, told));
    speak(say("nIdeas", told.changes.length));
    const first = parts.suggest.querySelector("li button");
    if (first) first.focus({ focusVisible: false });
  } catch (error) { renderSuggest(null, error.message); }
}

// ---------------------------------------------------------------- a search of ten seconds
const SECONDS = 10;
function renderImprove(problem = "", kind = "problem") {
  const box = parts.improve, running = searching && !searching.done;
  const gain = searching && searching.numbers ? element("p", { className: "effect", text: searching.numbers.filter((row) => row.change_text).map((row) => say("number." + row.key) + " " + row.text + ", " + row.change_text).join("; ") || say("nothingYet") }) : "";
  box.replaceChildren(element("h2", { text: say("improve") }), element("p", { className: "note", text: say("improveNote") }), problem ? element("p", { className: kind, text: problem }) : "", searching && searching.note ? element("p", { className: "note", text: searching.note }) : "",
    running ? element("p", { id: "search-clock", text: say("searching", Math.ceil(searching.left_s)) }) : "", gain,
    element("div", { className: "actions" },
      running ? button(say("stopSearch"), () => post("/api/improve/stop").catch((error) => tell(error.message))) : button(say("improveDo", SECONDS), improve, { disabled: !canEdit() }),
      searching && searching.done && searching.routes && searching.routes.length ? button(say("keep"), keep, { className: "main" }) : "",
      searching && searching.done ? button(say("discard"), discard) : ""));
}
async function improve() {
  searching = { done: false, left_s: SECONDS };
  renderImprove();
  const held = window.setInterval(() => { // better plans come when they come; the clock goes on between
    if (!searching || searching.done) { window.clearInterval(held); return; }
    searching.left_s = Math.max(0, searching.left_s - 1);
    byId("search-clock").textContent = say("searching", Math.ceil(searching.left_s));
  }, 1000);
  try { await post("/api/improve", { seconds: SECONDS }); } catch (error) { searching = null; renderImprove(error.message); }
}
function incumbent(told) { // the best plan so far, each time it gets better
  searching = Object.assign({}, searching, told);
  if (told.routes && told.routes.length) {
    sight.clearPreview();
    sight.showPreview(told);
    emit("numbers", told.numbers, told.limits || [], told.routes);
  }
  const better = searching.routes && searching.routes.length;
  if (told.done) { tell(say(better ? "searchDone" : "nothingFoundBetter")); speak(say(better ? "searchDone" : "nothingFoundBetter")); }
  if (told.done && !better) { searching = null; back(); renderImprove(told.error || say("nothingFoundBetter"), told.error ? "problem" : "said"); } else renderImprove(told.error || "");
}
async function keep() {
  forgetPreviews();
  try {
    const state = await post("/api/improve/keep", { version: store.state.version });
    searching = null;
    accept(state);
    const last = state.history[state.history.length - 1];
    if (last) emit("done", last.text + (last.effect ? ": " + last.effect : ""));
  } catch (error) { renderImprove(error.message); return; }
  renderImprove();
}
function discard() { searching = null; back(); renderImprove(); }

// ---------------------------------------------------------------- another run
let compared = null;
function renderCompare(problem = "") {
  const path = element("input", { type: "text", "aria-label": say("otherRun"), placeholder: say("otherRun"), spellcheck: false, value: compared ? compared.path : "" });
  const form = element("form", { className: "line" }, path, element("button", { type: "submit", text: say("compareDo") }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!path.value.trim()) return;
    form.append(element("span", { className: "note counting", text: say("counting") }));
    try { compared = Object.assign({ path: path.value.trim() }, await post("/api/compare", { run: path.value.trim() })); renderCompare(); parts.compare.scrollIntoView({ block: "start" }); } catch (error) { compared = null; renderCompare(error.message); }
  });
  parts.compare.replaceChildren(element("h2", { text: say("compare") }), element("p", { className: "note", text: say("compareNote") }), form,
    problem ? element("p", { className: "problem", text: problem }) : "", compared ? sides(compared) : "");
}
function sides(told) {
  const list = told.numbers || told.rows || [];
  const head = [say("number"), say("thisPlan"), told.name || say("otherPlan"), say("difference")];
  const rows = list.map((row) => [row.label, row.text, row.other_text === undefined ? row.against_text || "" : row.other_text, row.change_text || ""]);
  const gained = told.gained || (told.hexes && told.hexes.gained) || [], lost = told.lost || (told.hexes && told.hexes.lost) || [];
  const notes = [...(told.notes || []), told.cost, told.sure].filter(Boolean).map((text) => element("p", { className: "note", text }));
  return element("div", {}, table(head.slice(0, rows.some((row) => row[3]) ? 4 : 3), rows.map((row) => (rows.some((one) => one[3]) ? row : row.slice(0, 3)))), ...notes, element("div", { className: "actions compare-tools" },
    gained.length || lost.length ? button(say("showSides", gained.length, lost.length), () => sight.showSides(gained, lost)) : "", button(say("discard"), () => { compared = null; renderCompare(); back(); })));
}
function renderCompareTools() {
  if (compared) renderCompare();
}

// ---------------------------------------------------------------- headways and the string-line diagram of a route
async function headways(id) {
  const box = openDialog(say("headwaysOf", (store.state.routes.find((route) => route.id === id) || {}).name || ""), element("p", { className: "note counting", text: say("counting") }), true);
  try {
    const told = await post("/api/headways", { route: id });
    box.replaceChildren(...headwayPage(told, id));
  } catch (error) { box.replaceChildren(element("p", { className: "problem", text: error.message })); }
}
function headwayPage(told, id) {
  const mine = told.routes.find((route) => route.id === id) || told.routes[0], minutes = (value) => (value === null || value === undefined ? "–" : typeof value === "string" ? value : String(Math.round(10 * value) / 10));
  const head = [say("hour"), ...told.hours.map(String)];
  const days = mine.days || [{ name: say("headwayMin"), headways: mine.headways || [] }];
  const rows = days.map((day) => [mine.days ? `${say("headwayMin")} – ${day.name}` : day.name, ...day.headways.map(minutes)]);
  if (mine.waits) rows.push([say("waitMin"), ...mine.waits.map(minutes)]);
  const line = (told.string_line || {})[id];
  return [table(head, rows), line ? stringLine(line, routeColour(id)) : element("p", { className: "note", text: say("noStringLine") }), element("p", { className: "note", text: told.note || say("headwaysNote") })];
}
const routeColour = (id) => (store.state.routes.find((route) => route.id === id) || { colour: tint("ink") }).colour;
