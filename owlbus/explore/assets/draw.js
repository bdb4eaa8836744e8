// A new route: stops are clicked on the map or found by name; between two stops the way is one of up to three along the network.
import { store, on, emit, say, element, button, byId, stopName, tell, speak } from "./store.js";
import { post, preview, apply } from "./talk.js";
import { back, summary, closeMenu } from "./drag.js";
import * as sight from "./view.js";

let drawing = null; // {clicked: [stop], legs: [{ways, chosen}]}

export function listen() {
  byId("draw").addEventListener("click", () => (drawing ? leave() : begin()));
  on("picked", (latLng) => {
    if (!drawing) return;
    const stop = sight.nearestStop(latLng, 40, new Set(drawing.clicked));
    if (stop === null) tell(say("noStopHere")); else add(stop);
  });
  on("found", (place) => { if (drawing && place.stop !== undefined) add(place.stop); });
  on("drawFrom", (stop) => { begin(); add(stop); });
  on("state", () => { if (drawing && !store.busy) show(); });
}
export function begin() {
  closeMenu();
  emit("choose", null);
  store.mode = "draw";
  drawing = { clicked: [], legs: [] };
  byId("draw").setAttribute("aria-pressed", "true");
  document.body.classList.add("drawing");
  sight.showDots(true);
  render();
  tell(say("drawHint"));
  speak(say("drawHint"));
}
export function leave() {
  if (!drawing) return false;
  drawing = null;
  store.mode = null;
  byId("draw").setAttribute("aria-pressed", "false");
  document.body.classList.remove("drawing");
  byId("drawing").hidden = true;
  sight.showDots(false);
  sight.showPicked([]);
  back();
  tell("");
  return true;
}
export async function add(stop) {
  if (drawing.clicked.includes(stop)) return;
  const from = drawing.clicked[drawing.clicked.length - 1], held = drawing;
  sight.showTarget(stop);
  if (from !== undefined) {
    try {
      const ways = (await post("/api/ways", { from, to: stop })).ways;
      if (drawing !== held) return;
      if (!ways.length) { tell(say("noWay", stopName(from), stopName(stop))); return; }
      drawing.legs.push({ ways, chosen: 0 });
    } catch (error) { tell(error.message); return; }
  }
  drawing.clicked.push(stop);
  speak(say("added", stopName(stop), drawing.clicked.length));
  render();
  show();
}
export function undoStop() {
  if (!drawing || !drawing.clicked.length) return false;
  drawing.clicked.pop();
  drawing.legs.pop();
  render();
  show();
  return true;
}
export const finish = async () => {
  if (!drawing || drawing.clicked.length < 2) return false;
  const edit = editOf(), before = new Set(store.state.routes.map((route) => route.id));
  leave();
  if (await apply(edit)) {
    const made = store.state.routes.find((route) => !before.has(route.id));
    if (made) emit("choose", made.id, true);
  }
  return true;
};
function wayOf() {
  const way = drawing.legs.length ? [drawing.legs[0].ways[drawing.legs[0].chosen].stops[0]] : [...drawing.clicked];
  drawing.legs.forEach((leg) => way.push(...leg.ways[leg.chosen].stops.slice(1)));
  return way;
}
function editOf() { // the server finds the fastest way by itself, past the stops that are there already
  const edit = { kind: "new_route", stops: drawing.clicked };
  return drawing.legs.some((leg) => leg.chosen) ? Object.assign(edit, { way: wayOf() }) : edit;
}
function show() {
  sight.showPicked(drawing.clicked);
  if (drawing.clicked.length < 2) { back(); if (drawing.clicked.length) sight.showTarget(drawing.clicked[0]); return; }
  const held = drawing;
  preview(editOf(), null, (answer, error) => {
    if (drawing !== held) return;
    if (error) { tell(error.message); return; }
    sight.showPreview(answer);
    sight.showTarget(drawing.clicked[drawing.clicked.length - 1]);
    emit("numbers", answer.numbers, answer.limits, answer.routes);
    tell(summary(answer.numbers));
    const made = answer.routes.find((route) => !store.state.routes.some((one) => one.id === route.id));
    if (made) byId("drawing").querySelector(".facts").textContent = [say("km", made.km.toFixed(1)), say("min", Math.round(made.minutes)), say("buses", made.buses)].join(" · ");
  });
}
function render() {
  const box = byId("drawing"), names = drawing.clicked.map(stopName), leg = drawing.legs[drawing.legs.length - 1];
  const ways = leg && leg.ways.length > 1 ? element("fieldset", {}, element("legend", { text: say("ways") }), ...leg.ways.map((way, k) => {
    const input = element("input", { type: "radio", name: "way", checked: k === leg.chosen });
    input.addEventListener("change", () => { leg.chosen = k; show(); });
    return element("label", { className: "check" }, input, element("span", { text: say("way", k + 1, (way.metres / 1000).toFixed(1), Math.round(way.minutes), way.stops.length) }));
  })) : "";
  const done = button(say("finish"), finish, { disabled: names.length < 2 });
  box.replaceChildren(element("p", { className: "menu-title", text: say("draw") }),
    element("p", { className: "note", text: say("drawHint") }),
    names.length ? element("ol", { className: "drawn" }, ...names.map((text) => element("li", { text }))) : "",
    element("p", { className: "facts" }), ways,
    element("div", { className: "actions" }, done, button(say("undoStop"), undoStop, { disabled: !names.length }), button(say("leave"), leave)));
  box.hidden = false;
}
