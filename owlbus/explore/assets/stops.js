// The routes as a list, and the chosen one with its stops: everything that the pointer does on the map, by keyboard too.
import { store, on, emit, say, element, button, byId, routeOf, stopName, canEdit, tell, speak } from "./store.js";
import { preview, forgetPreviews, apply } from "./talk.js";
import { back, stopItems, summary, showEdit } from "./drag.js";
import * as sight from "./view.js";

let moving = null; // a stop that the arrow keys carry: {kind, position, stop, from, end}

export function listen() {
  on("state", () => { moving = null; draw(); });
  on("choose", choose);
  on("chooseStopOf", (id, stop) => { const at = id === store.chosen ? routeOf(id).stops.indexOf(stop) : -1; if (at >= 0) select(at, false); });
  on("chooseStop", (position) => { emit("openTab", "routes"); select(position, false); });
}
function choose(id, quiet = false) {
  store.chosen = id;
  store.position = id === null ? null : 0;
  if (id !== null) { store.hidden.delete(id); emit("openTab", "routes"); }
  sight.showState(store.state);
  emit("chosen");
  draw();
  const line = byId("pane-routes").querySelector(".chosen");
  if (line) line.scrollIntoView({ block: "start" });
  if (quiet) return;
  if (id !== null) { const route = routeOf(id); speak(say("chosenRoute", route.name, route.stops.length)); tell(canEdit() ? say(route.locked ? "lockedHint" : route.is_free === false ? "notFree" : "editHint", route.name) : ""); }
  else tell("");
}

// ---------------------------------------------------------------- the list of routes
function draw() {
  const focus = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.focus : null, state = store.state;
  if (store.chosen && !routeOf(store.chosen)) { store.chosen = null; store.position = null; }
  const chosen = store.chosen && routeOf(store.chosen);
  if (chosen) store.position = Math.max(0, Math.min(store.position || 0, chosen.stops.length - 1));
  const pane = byId("pane-routes"), place = pane.scrollTop;
  pane.replaceChildren(element("ul", { className: "routes" }, ...state.routes.map(line)), state.routes.length ? "" : element("p", { className: "note", text: say("noRoutes") }));
  pane.scrollTop = place;
  if (focus) { const again = pane.querySelector("[data-focus='" + CSS.escape(focus) + "']"); if (again) again.focus(); }
}
function line(route) {
  const chosen = route.id === store.chosen;
  const name = button(route.name, () => choose(chosen ? null : route.id), { className: "badge", "aria-expanded": String(chosen), data: { focus: "route-" + route.id } });
  name.style.background = route.colour;
  const facts = [say("km", route.km.toFixed(1)), say("min", Math.round(route.minutes)), say("buses", route.buses)];
  if (route.peak_load !== null && route.peak_load !== undefined) facts.push(say("load", shown(route.peak_load)));
  const box = element("input", { type: "checkbox", checked: !store.hidden.has(route.id), title: say("showRoute"), "aria-label": say("showRouteNamed", route.name) });
  box.addEventListener("change", () => { if (box.checked) store.hidden.delete(route.id); else store.hidden.add(route.id); sight.showState(store.state); });
  return element("li", { className: chosen ? "chosen" : "" }, element("div", { className: "head" }, box, name,
    element("span", { className: "facts", text: facts.join(" · ") }),
    route.locked ? element("span", { className: "tag", text: say("lockedShort") }) : "", route.changed ? element("span", { className: "tag changed", text: say("changed") }) : ""),
  chosen ? detail(route) : "");
}
const number = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const shown = (value) => (typeof value === "string" ? value : value === 0 && store.about.base > 0 ? "<" + store.about.base : number.format(value));

// ---------------------------------------------------------------- the chosen route
function detail(route) {
  const free = canEdit();
  const facts = [[say("circuity"), route.circuity === null ? "–" : Number(route.circuity).toFixed(2)], [say("riders"), route.riders === null ? "–" : shown(route.riders)]];
  return element("div", { className: "detail" },
    free ? fields(route) : "",
    element("p", { className: "facts", text: facts.map((pair) => pair.join(" ")).join(" · ") }),
    free ? actions(route) : element("div", { className: "actions" }, button(say("headways"), () => emit("headways", route.id))),
    element("p", { className: "note", id: "stops-note", text: free && sight.isFree(route) ? say("stopsNote") : say("stopsLook") }),
    stopList(route), stopActions(route));
}
function fields(route) {
  const name = element("input", { type: "text", value: route.name, maxLength: 60, "aria-label": say("name"), data: { focus: "name" } });
  name.addEventListener("change", () => { if (name.value.trim() && name.value !== route.name) apply({ kind: "rename", route: route.id, name: name.value.trim() }); });
  const colour = element("input", { type: "color", value: route.colour, "aria-label": say("colour"), data: { focus: "colour" } });
  colour.addEventListener("change", () => apply({ kind: "recolour", route: route.id, colour: colour.value }));
  const lock = element("input", { type: "checkbox", checked: route.locked, data: { focus: "lock" } });
  lock.addEventListener("change", () => apply({ kind: "lock", route: route.id, locked: lock.checked }));
  return element("div", { className: "fields" }, name, colour, element("label", { className: "check" }, lock, element("span", { text: say("lock") })));
}
function actions(route) {
  const act = (key, edit) => {
    const made = button(say(key), () => apply(edit), { data: { focus: key } });
    if (key === "drop") { made.addEventListener("pointerenter", () => showEdit(edit)); made.addEventListener("pointerleave", back); }
    return made;
  };
  const list = [act("duplicate", { kind: "duplicate", route: route.id }), act("reverse", { kind: "reverse", route: route.id })];
  if (!route.locked) list.push(act("drop", { kind: "drop", route: route.id }));
  list.push(button(say("headways"), () => emit("headways", route.id), { data: { focus: "headways" } }));
  list.push(button(say("commentRoute"), () => emit("comment", { route: route.id, latLng: sight.haltsOf(route)[route.stops.length >> 1] }), { data: { focus: "comment" } }));
  return element("div", { className: "actions" }, ...list);
}

// ---------------------------------------------------------------- stops: one of them is in the tab order, arrow keys choose
function stopList(route) {
  const list = element("ol", { className: "stops", role: "listbox", "aria-label": say("stopsOf", route.name), "aria-describedby": "stops-note" });
  list.append(...route.stops.map((stop, at) => {
    const here = at === store.position;
    const made = element("li", { role: "option", tabIndex: here ? 0 : -1, "aria-selected": String(here), text: route.names[at], data: { focus: "stop-" + route.id + "-" + at, at } });
    made.addEventListener("click", () => { select(at); sight.keepInSight(stop); });
    return made;
  }));
  list.addEventListener("keydown", (event) => stopKeys(event, route));
  list.addEventListener("focusout", (event) => { if (moving && !list.contains(event.relatedTarget)) cancel(); });
  return list;
}
function stopActions(route) {
  if (store.position === null) return "";
  const free = canEdit() && sight.isFree(route), at = store.position, list = [];
  if (free) {
    list.push(button(say("moveStop"), () => carry(route, "move_stop"), { data: { focus: "move" } }));
    if (at < route.stops.length - 1) list.push(button(say("insertAfter"), () => carry(route, "insert_stop"), { data: { focus: "insert" } }));
    if (at === 0 || at === route.stops.length - 1) list.push(button(say("extend"), () => carry(route, "extend"), { data: { focus: "extend" } }));
  }
  stopItems(route, at).forEach((item, k) => list.push(button(item.text, () => (item.run ? item.run() : apply(item.edit)), { data: { focus: "item-" + k } })));
  return element("div", { className: "actions", role: "group", "aria-label": say("withStop", route.names[at]) }, element("p", { className: "note", text: say("withStop", route.names[at]) }), ...list);
}
function select(position, focus = true) {
  store.position = position;
  draw();
  sight.redrawHandles();
  const made = byId("pane-routes").querySelector("[role=option][aria-selected=true]");
  if (made) { made.scrollIntoView({ block: "nearest" }); if (focus) made.focus({ preventScroll: true }); }
}
function stopKeys(event, route) {
  const at = store.position, last = route.stops.length - 1, free = canEdit() && sight.isFree(route);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (moving) { carryKeys(event, route); return; }
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
  const todo = !free ? null : { Enter: "move_stop", m: "move_stop", i: at < last && "insert_stop", e: (at === 0 || at === last) && "extend" }[event.key];
  if (to !== undefined) { if (to >= 0 && to <= last) { select(to); sight.keepInSight(route.stops[to]); } }
  else if (todo) carry(route, todo);
  else if (event.key === "Delete" && free && last > 1) apply({ kind: "delete_stop", route: route.id, position: at });
  else if (event.key === "Escape") { choose(null); byId("tab-routes").focus(); }
  else return;
  event.preventDefault();
  event.stopPropagation();
}

// ---------------------------------------------------------------- a stop carried by arrow keys, Enter applies, Escape leaves
function carry(route, kind) {
  const at = store.position, from = route.stops[at];
  moving = { kind, route: route.id, position: at, from, stop: from, end: at === 0 ? "first" : "last" };
  const option = byId("pane-routes").querySelector("[role=option][aria-selected=true]");
  if (option) option.focus();
  sight.showDots(true);
  sight.beginPreview();
  sight.showTarget(from);
  sight.keepInSight(from);
  tell(say("carry", stopName(from)));
  speak(say("carry", stopName(from)));
}
function editOf() {
  const edit = { kind: moving.kind, route: moving.route, stop: moving.stop };
  if (moving.kind === "extend") edit.end = moving.end; else edit.position = moving.position;
  return edit;
}
function carryKeys(event, route) {
  if (event.key === "Escape") { cancel(); select(store.position); }
  else if (event.key === "Enter") finish();
  else if (event.key.startsWith("Arrow")) step(event, route);
  else return;
  event.preventDefault();
  event.stopPropagation();
}
function step(event, route) {
  const skip = new Set(route.stops.filter((stop) => stop !== moving.from)), held = moving;
  moving.stop = sight.stopTowards(moving.stop, event.key, skip);
  sight.showTarget(moving.stop);
  sight.keepInSight(moving.stop);
  if (moving.stop === moving.from) { back(); sight.showTarget(moving.stop); speak(stopName(moving.stop)); return; }
  preview(editOf(), event.timeStamp, (answer, error) => {
    if (moving !== held) return;
    if (error) { tell(error.message); speak(stopName(held.stop) + ": " + error.message); return; }
    sight.showPreview(answer);
    emit("numbers", answer.numbers, answer.limits, answer.routes);
    tell(say("enterTo", stopName(held.stop)));
    speak(stopName(held.stop) + ". " + summary(answer.numbers) + (answer.limits.length ? ". " + answer.limits.map((one) => one.text).join(". ") : ""));
  });
}
async function finish() {
  const edit = editOf(), stays = moving.stop === moving.from;
  sight.showDots(false);
  if (stays) { cancel(); return; }
  moving = null;
  if (!(await apply(edit))) back();
  select(Math.max(0, routeOf(edit.route).stops.indexOf(edit.stop)));
}
export function cancel() {
  if (!moving) return false;
  moving = null;
  sight.showDots(false);
  back();
  tell("");
  return true;
}
