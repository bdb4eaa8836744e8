// Begins: words, the plan and its map; then everything follows the state that the server sends.
import { store, on, emit, say, element, byId, canEdit, narrow, tell, speak } from "./store.js";
import { get, accept } from "./talk.js";
import * as sight from "./view.js";
import * as panel from "./panel.js";
import * as stops from "./stops.js";
import * as drag from "./drag.js";
import * as draw from "./draw.js";
import * as find from "./find.js";
import * as keys from "./keys.js";
import * as help from "./help.js";
import * as place from "./place.js";
import * as comments from "./comments.js";
import * as files from "./files.js";

const language = document.documentElement.lang;

async function begin() {
  store.words = await get("/assets/words_" + language + ".json");
  const start = await get("/api/start?lang=" + language);
  store.about = start.about;
  const scale = start.map.scale;
  store.network = { names: start.network.names, stops: positions(start.network.stops, scale) };
  store.state = start.state;
  title();
  sight.makeView(start.map);
  layerControls(start.map);
  [panel, stops, drag, draw, find, keys, help, place, comments, files].forEach((part) => part.listen());
  on("state", (state) => { sight.showState(state); sight.showSpotlight(null); notices(); });
  on("openTab", panel.openTab);
  on("done", (text) => { tell(text); speak(text); });
  on("broken", (limits) => { if (limits.length) speak(limits.map((one) => one.text).join(". ")); });
  on("lost", ended);
  narrow.addEventListener("change", look);
  look();
  accept(start.state);
  listenToServer();
  document.documentElement.dataset.ready = "yes";
}
function positions(flat, scale) {
  const out = [];
  let lat = 0, lon = 0;
  for (let k = 0; k < flat.length; k += 2) {
    lat += flat[k]; lon += flat[k + 1];
    out.push([lat / scale, lon / scale]);
  }
  return out;
}
function title() {
  const name = say("titleRun", [store.about.run, store.about.city].filter(Boolean).join(", "));
  byId("title").textContent = name;
  document.title = name;
}
function look() { // what only looks shows no tool
  document.body.classList.toggle("looks", !canEdit());
  if (store.state && sight.view) emit("state", store.state);
}
function notices() { // what only looks says so
  const why = store.about.read_only ? say("readOnly") : narrow.matches ? say("narrow") : "";
  byId("synthetic").textContent = store.about.synthetic ? say("synthetic") : "";
  const lines = [why, ...((store.state && store.state.notices) || [])].filter(Boolean); // of the window, of the history, of files that changed
  byId("shown").hidden = !lines.length;
  byId("shown").replaceChildren(...lines.map((text) => element("span", { text })));
}

// ---------------------------------------------------------------- what the hexes show
function layerControls(map) {
  const layer = byId("layer"), hour = byId("hour"), kinds = ["demand", "covered", "uncovered", ...(map.reference ? ["difference"] : [])];
  const names = { demand: say("layerDemand"), covered: say("layerCovered"), uncovered: say("layerUncovered"), difference: map.reference ? say("layerReference", map.reference.name) : "" };
  layer.append(...kinds.map((kind) => element("option", { value: kind, text: names[kind] })));
  hour.max = map.hexes.parts.length - 1;
  const show = () => {
    const { state } = sight.view;
    state.layer = layer.value;
    hour.disabled = state.layer === "difference"; // what two plans reach is known for the whole night
    state.part = hour.disabled ? 0 : Number(hour.value);
    byId("hour-text").textContent = sight.view.partName();
    hour.setAttribute("aria-valuetext", sight.view.partName());
    sight.view.paint();
  };
  layer.addEventListener("change", show);
  hour.addEventListener("input", show);
  if (map.reference) {
    byId("reference-box").hidden = false;
    byId("reference-name").textContent = map.reference.name;
    byId("reference").addEventListener("change", (event) => (event.target.checked ? sight.view.reference.addTo(sight.view.map) : sight.view.reference.remove()));
  }
  show();
}

// ---------------------------------------------------------------- the other windows, and the end
function listenToServer() {
  const events = new EventSource("/api/events");
  events.onmessage = async (message) => {
    const told = JSON.parse(message.data);
    if (told.type === "end") { events.close(); ended(); }
    else if (told.type === "improve") emit("improve", told);
    else if (told.type === "state" && told.version !== store.state.version && !store.busy) accept(await get("/api/state?lang=" + language));
  };
  on("ending", () => events.close());
}
let isOver = false;
function ended() {
  if (isOver) return;
  isOver = true;
  document.body.classList.add("looks", "over");
  const box = byId("notice");
  box.replaceChildren(element("p", { text: say("over") }));
  box.hidden = false;
  box.setAttribute("role", "alert");
}

begin().catch((error) => {
  byId("status").textContent = error.message;
  console.error(error);
});
