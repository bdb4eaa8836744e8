// Search by name: stops of the network, districts and places of the map.
import { store, emit, say, element, byId, speak } from "./store.js";
import * as sight from "./view.js";

const MOST = 12;
let found = [], at = -1, index = [];

export function listen() {
  const box = byId("find");
  box.addEventListener("input", () => search(box.value));
  box.addEventListener("keydown", keys);
  box.addEventListener("blur", () => window.setTimeout(close, 150));
}
const plain = (text) => text.toLocaleLowerCase().normalize("NFKD").replace(/[\u0300-\u036f\s\-·.]/g, "");
function build() {
  const { data } = sight.view, scale = data.scale;
  index = data.labels.map(([text, isArea, lat, lon]) => ({ text, kind: say(isArea ? "district" : "place"), latLng: [lat / scale, lon / scale], isArea }));
  const seen = new Set();
  store.network.names.forEach((text, stop) => {
    if (!text || seen.has(text)) return;
    seen.add(text);
    index.push({ text, kind: say("stop"), latLng: sight.latLngOf(stop), stop });
  });
  index.forEach((entry) => { entry.plain = plain(entry.text); });
}
function search(text) {
  if (!index.length) build();
  const wanted = plain(text);
  found = wanted ? index.filter((entry) => entry.plain.includes(wanted)).sort((one, other) => one.plain.indexOf(wanted) - other.plain.indexOf(wanted) || one.plain.length - other.plain.length).slice(0, MOST) : [];
  at = found.length ? 0 : -1;
  render(text);
}
function render(text) {
  const list = byId("found"), box = byId("find");
  list.replaceChildren(...found.map((entry, k) => {
    const made = element("li", { id: "found-" + k, role: "option", "aria-selected": String(k === at) }, element("span", { text: entry.text }), element("span", { className: "note", text: entry.kind }));
    made.addEventListener("pointerdown", (event) => { event.preventDefault(); take(entry); });
    return made;
  }), ...(text && !found.length ? [element("li", { className: "note", text: say("nothingFound"), role: "option", "aria-disabled": "true", "aria-selected": "false" })] : []));
  list.hidden = !text;
  box.setAttribute("aria-expanded", String(!list.hidden));
  if (at >= 0) box.setAttribute("aria-activedescendant", "found-" + at); else box.removeAttribute("aria-activedescendant");
}
function keys(event) {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (found.length) at = (at + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
    render(byId("find").value);
  } else if (event.key === "Enter" && at >= 0) take(found[at]);
  else if (event.key === "Escape" && !byId("found").hidden) { byId("find").value = ""; close(); event.stopPropagation(); }
  else return;
  event.preventDefault();
}
function close() {
  byId("found").hidden = true;
  byId("find").setAttribute("aria-expanded", "false");
  byId("find").removeAttribute("aria-activedescendant");
}
function take(entry) {
  byId("find").value = store.mode ? "" : entry.text;
  close();
  speak(entry.text);
  sight.showSpotlight([entry.latLng]);
  if (store.mode) emit("found", entry);
  else emit("chooseHex", sight.hexAt(L.latLng(entry.latLng)), L.latLng(entry.latLng), entry.text);
}
