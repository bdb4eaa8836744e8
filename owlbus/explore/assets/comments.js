// Comments pinned to a stop, a route or a hexagon; in and out as GeoJSON and CSV; and one printable page of answers.
import { store, on, emit, say, element, button, byId, canEdit, routeOf, stopName, speak, tell } from "./store.js";
import { get, post, download } from "./talk.js";
import { openDialog, closeDialog } from "./dialog.js";
import * as sight from "./view.js";

let kept = [], pins = null;

export function listen() {
  pins = L.layerGroup().addTo(sight.view.map);
  on("comment", write);
  on("tab", (name) => { if (name === "comments") refresh(); });
  refresh();
}
async function refresh() {
  try { take(await get("/api/comments?lang=" + document.documentElement.lang)); } catch (error) { render(error.message); }
}
function take(told) {
  kept = Array.isArray(told) ? told : told.comments;
  render();
  pins.clearLayers();
  kept.forEach((one, k) => {
    const icon = L.divIcon({ className: "pin", html: element("span", { text: String(k + 1) }), iconSize: [22, 26], iconAnchor: [11, 26] });
    L.marker([one.lat, one.lon], { icon, keyboard: false, title: one.text.slice(0, 80) }).on("click", () => { emit("openTab", "comments"); show(one, k); }).addTo(pins);
  });
}
function show(one, k) {
  sight.showSpotlight([[one.lat, one.lon]]);
  const made = byId("pane-comments").querySelector("[data-comment='" + k + "']");
  if (made) { made.scrollIntoView({ block: "nearest" }); made.focus(); }
}
function render(problem = "") {
  const may = !store.about.read_only;
  const file = element("input", { type: "file", accept: ".geojson,.json,.csv", className: "hidden", tabIndex: -1, "aria-label": say("importComments") });
  file.addEventListener("change", () => bring(file.files[0]));
  byId("pane-comments").replaceChildren(
    element("p", { className: "note", text: say("commentsNote") }), problem ? element("p", { className: "problem", text: problem }) : "",
    kept.length ? element("ol", { className: "comments" }, ...kept.map(entry)) : element("p", { className: "note", text: say("noComments") }),
    element("div", { className: "actions" },
      may ? button(say("importComments"), () => file.click()) : "", file,
      ...(kept.length ? ["geojson", "csv"].map((format) => button(say("exportAs", format === "csv" ? "CSV" : "GeoJSON"), () => out(format))) : []),
      may && kept.length ? button(say("answers"), answers, { className: "main" }) : ""));
}
function entry(one, k) {
  const where = one.hex !== undefined ? sight.view.hexLines(one.hex)[0][0] : one.place || one.route || stopName(one.stop);
  return element("li", { tabIndex: -1, data: { comment: String(k) } }, button(where, () => show(one, k), { className: "link" }),
    element("p", { className: "said", text: one.text }), element("p", { className: "note", text: [one.name, dated(one.time)].filter(Boolean).join(", ") }),
    canEdit() ? button(say("remove"), () => change({ remove: one.id }), { "aria-label": say("removeComment", k + 1), className: "link" }) : "");
}
function dated(time) { // of a file the time may be any text
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? time : at.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
}
async function change(body) {
  try {
    const told = await post("/api/comments", body);
    if (told.comments || Array.isArray(told)) take(told); else await refresh();
    return told;
  } catch (error) { tell(error.message); render(error.message); return null; }
}
function write(about) { // {stop | route | hex, latLng}
  if (store.about.read_only) { tell(say("readOnly")); return; }
  const where = about.stop !== undefined ? stopName(about.stop) : about.route !== undefined ? routeOf(about.route).name : sight.view.hexLines(about.hex)[0][0];
  const text = element("textarea", { rows: 4, maxLength: 2000, required: true, id: "comment-text" }), name = element("input", { type: "text", maxLength: 120, id: "comment-name" });
  const form = element("form", { className: "stacked" }, element("label", { htmlFor: "comment-text", text: say("commentText") }), text, element("label", { htmlFor: "comment-name", text: say("commentName") }), name,
    element("div", { className: "actions" }, element("button", { type: "submit", className: "main", text: say("keepComment") })));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const pin = about.stop !== undefined ? { stop: about.stop } : about.route !== undefined ? { route: routeOf(about.route).name } : { hex: about.hex };
    const at = { lat: about.latLng[0] === undefined ? about.latLng.lat : about.latLng[0], lon: about.latLng[1] === undefined ? about.latLng.lng : about.latLng[1] };
    if (await change({ add: Object.assign(at, pin, { text: text.value, name: name.value }) })) { closeDialog(); emit("openTab", "comments"); speak(say("commentKept")); }
  });
  openDialog(say("commentOn", where), form);
  text.focus();
}
async function bring(file) {
  if (!file) return;
  const format = /\.csv$/i.test(file.name) ? "csv" : "geojson";
  const told = await change({ import: { format, text: await file.text() } });
  if (told) tell(told.text || say("imported", told.added === undefined ? kept.length : told.added, told.known || 0));
}
async function out(format) {
  try { tell(say("downloaded", await download("/api/comments/export?format=" + format, null, "comments." + format))); } catch (error) { tell(error.message); }
}
async function answers() {
  tell(say("counting"));
  try { tell(say("answersDone", await download("/api/answers", { lang: document.documentElement.lang }, "answers.html"))); } catch (error) { tell(error.message); }
}
