// What leaves the page: a run directory, files for other programs, one report with both plans; a link for another window; and the end.
import { store, on, emit, say, element, button, byId, canEdit, tell, speak } from "./store.js";
import { post, download, accept, get } from "./talk.js";
import { openDialog, closeDialog } from "./dialog.js";

export function listen() {
  byId("save").addEventListener("click", save);
  byId("files").addEventListener("click", files);
  byId("manual").addEventListener("click", manual);
  byId("quit").addEventListener("click", quit);
  on("save", save);
  on("manual", manual);
  on("state", (state) => {
    byId("save").classList.toggle("due", !state.is_saved);
    byId("save").disabled = !canEdit();
  });
}
function form(label, value, action, run) {
  const field = element("input", { type: "text", value, spellcheck: false, id: "dialog-field" }), problem = element("p", { className: "problem", role: "alert" }), waits = element("p", { className: "note", role: "status" });
  const made = element("form", { className: "stacked" }, element("label", { htmlFor: "dialog-field", text: label }), field, problem, waits, element("div", { className: "actions" }, element("button", { type: "submit", className: "main", text: action })));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    made.querySelector("button").disabled = true;
    problem.textContent = "";
    waits.textContent = say("writing");
    try { await run(field.value.trim()); } catch (error) { problem.textContent = error.message; }
    waits.textContent = "";
    made.querySelector("button").disabled = false;
  });
  return made;
}
function save() {
  if (byId("dialog").open || !canEdit()) return;
  openDialog(say("save"), [element("p", { text: say("saveNote") }), form(say("saveWhere"), "", say("saveDo"), async (out) => {
    const told = await post("/api/save", { out: out || null });
    accept(told.state || (await get("/api/state?lang=" + document.documentElement.lang)));
    openDialog(say("saved"), [element("p", { text: say("savedAt") }), element("p", { className: "path", text: told.path || told.written || "" }), element("p", { className: "note", text: say("savedNote") })]);
    speak(say("saved"));
  })]);
}
function files() {
  const link = element("p", { className: "path", "aria-live": "polite" }); // what came of a click: a file, an address, or why not
  const get = (text, path, body, fallback, note) => element("li", {}, button(text, async (event) => {
    event.target.disabled = true;
    link.textContent = say("writing");
    try { link.textContent = say("downloaded", await download(path, body, fallback)); } catch (error) { link.textContent = error.message; }
    event.target.disabled = false;
  }), element("span", { className: "note", text: note }));
  openDialog(say("files"), [element("ul", { className: "files" },
    get(say("share"), "/api/share", { lang: document.documentElement.lang }, "report.html", say("shareNote")),
    get("GTFS", "/api/export", { format: "gtfs" }, "gtfs.zip", say("gtfsNote")),
    get("GeoPackage", "/api/export", { format: "gpkg" }, "plan.gpkg", say("gpkgNote")),
    get("GeoJSON", "/api/export", { format: "geojson" }, "plan.geojson", say("geojsonNote"))),
  element("h3", { text: say("link") }), element("p", { className: "note", text: say("linkNote") }),
  button(say("linkDo"), async () => { try { link.textContent = (await post("/api/link")).url; } catch (error) { link.textContent = error.message; } }), link]);
}
function manual() {
  const rows = ["pointer", "stop", "line", "end", "undo", "escape", "list", "enter", "delete", "draw", "save"].map((key) => [say("manual." + key), say("manual." + key + ".does")]);
  openDialog(say("manual"), [element("p", { text: say("manualNote") }), element("dl", { className: "manual" }, ...rows.map(([what, does]) => element("div", {}, element("dt", { text: what }), element("dd", { text: does })))),
    element("p", { className: "note", text: say("privacyMore") })]);
}
function quit() {
  openDialog(say("quit"), [element("p", { text: say(store.state.is_saved ? "quitNote" : "quitUnsaved") }), element("div", { className: "actions" },
    button(say("quitDo"), async () => { emit("ending"); closeDialog(); try { await post("/api/quit"); } catch (error) { tell(error.message); } emit("lost"); }, { className: "main" }),
    button(say("leave"), closeDialog))]);
}
