// A place: what its hexagon shows, why no bus stops there, and the change that would serve it.
import { store, on, emit, say, element, button, byId, stopName, canEdit, speak, tell } from "./store.js";
import { post, apply } from "./talk.js";
import { back, showEdit } from "./drag.js";
import { table } from "./dialog.js";
import * as sight from "./view.js";

let chosen = null; // {hex, latLng, name, answer, error}

export function listen() {
  on("chooseHex", (hex, latLng, name) => {
    if (hex === null) { tell(say("outside")); return; }
    emit("openTab", "place");
    choose(hex, latLng, name);
  });
  on("state", again);
  on("tab", (name) => { if (name === "place" && chosen && chosen.version !== store.state.version) again(); });
  on("escape", clear);
}
function again() { // the answer holds for one state of the plan
  if (chosen && !byId("pane-place").hidden) choose(chosen.hex, chosen.latLng, chosen.name, false); else render();
}
function clear() {
  chosen = null;
  sight.view.state.hex = null;
  sight.view.paint();
  sight.showSpotlight(null);
  render();
}
async function choose(hex, latLng, name, aloud = true) {
  const held = { hex, latLng, name, answer: null, error: null, version: store.state.version };
  const before = sight.view.state.hex;
  chosen = held;
  sight.view.state.hex = hex;
  if (before !== null) sight.view.paintHex(before);
  sight.view.paintHex(hex);
  sight.view.polygons[hex].bringToFront();
  render();
  try { held.answer = await post("/api/why", { hex }); } catch (error) { held.error = error.message; }
  if (chosen !== held) return;
  render();
  if (aloud && held.answer) speak(held.answer.lines.join(" "));
}
function render() {
  const pane = byId("pane-place");
  if (!chosen) { pane.replaceChildren(element("p", { className: "note", text: say("placeHint") })); return; }
  const [title, ...rows] = sight.view.hexLines(chosen.hex), at = chosen.latLng;
  const near = sight.nearestStop(at, 400);
  pane.replaceChildren(
    element("h2", { text: chosen.name || title[0] }),
    chosen.name ? element("p", { className: "note", text: title[0] }) : "",
    element("dl", {}, ...rows.map(([name, value]) => element("div", {}, element("dt", { text: name }), element("dd", { text: value })))),
    element("h2", { text: say("why") }),
    chosen.error ? element("p", { className: "problem", text: chosen.error }) : chosen.answer ? answer(chosen.answer) : element("p", { className: "note counting", text: say("counting") }),
    ...reachPart(),
    element("div", { className: "actions" },
      button(say("commentHere"), () => emit("comment", { hex: chosen.hex, latLng: [at.lat, at.lng] })),
      near !== null && canEdit() ? button(say("drawFrom", stopName(near)), () => emit("drawFrom", near)) : ""));
}
// Where one gets from here: asked for, since it takes the timetable of the plan; its colours stay until the map is painted anew.
let at = "02:30";
function reachPart() {
  const time = element("input", { type: "time", value: at, "aria-label": say("reachAt") });
  time.addEventListener("input", () => { at = time.value || at; }); // the panel may be drawn anew before it is sent
  const form = element("form", { className: "line" }, time, element("button", { type: "submit", text: say("reachDo") }));
  form.addEventListener("submit", (event) => { event.preventDefault(); at = time.value || at; reach(chosen); });
  const told = chosen.reach;
  return [element("h2", { text: say("reach") }), form, chosen.reachError ? element("p", { className: "problem", text: chosen.reachError }) : "",
    ...(told ? [table(told.head, told.rows), element("p", { className: "note", text: told.note }),
      element("div", { className: "actions" }, button(say("reachHide"), () => { chosen.reach = null; sight.view.paint(); render(); }))] : [])];
}
async function reach(held) {
  held.reach = null; held.reachError = null;
  try { held.reach = await post("/api/reach", { lat: held.latLng.lat, lon: held.latLng.lng, at }); } catch (error) { held.reachError = error.message; }
  if (chosen !== held) return;
  render();
  if (held.reach) sight.showReach(held.reach, say("reachKey", at));
}
function answer(told) {
  const change = told.change;
  const made = change ? element("div", { className: "idea" }, element("p", { text: change.text }), change.effect ? element("p", { className: "effect", text: change.effect }) : "") : null;
  if (change && change.edit && canEdit()) made.append(hovering(button(say("applyThis"), async () => { if (!(await apply(change.edit))) back(); }), change.edit));
  return element("div", { className: "reasons" }, made, ...told.lines.map((text) => element("p", { text })));
}
export function hovering(made, edit) { // its change is drawn while the pointer or the focus is on it
  let shown = false;
  const show = () => { if (!store.busy) { shown = true; showEdit(edit); } }, hide = () => { if (shown && !store.busy) { shown = false; back(); } };
  made.addEventListener("pointerenter", show);
  made.addEventListener("pointerleave", hide);
  made.addEventListener("focus", show);
  made.addEventListener("blur", hide);
  return made;
}
