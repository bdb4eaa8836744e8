// Editing with the pointer: drag a stop, pull a line to a stop, extend an end; a click opens what can be done there.
import { store, on, emit, say, element, button, byId, routeOf, stopName, canEdit, tell, speak } from "./store.js";
import { preview, forgetPreviews, apply } from "./talk.js";
import * as sight from "./view.js";

let drag = null;
const SNAP_PX = 45, CLICK_PX = 4;

export function listen() {
  const frame = sight.frame();
  frame.addEventListener("pointerdown", begin);
  frame.addEventListener("pointermove", move);
  frame.addEventListener("pointerrawupdate", (event) => { if (drag && drag.moving) move(event); }); // up to a frame before the move
  frame.addEventListener("pointerup", end);
  frame.addEventListener("pointercancel", leave);
  sight.view.map.on("click", (event) => click(event.containerPoint, event.latlng));
  frame.addEventListener("contextmenu", (event) => { event.preventDefault(); click(pointOf(event), latLngOf(event)); });
  frame.addEventListener("pointerleave", () => hideTip());
  on("state", closeMenu);
}
const pointOf = (event) => sight.view.map.mouseEventToContainerPoint(event);
const latLngOf = (event) => sight.view.map.mouseEventToLatLng(event);
const isMap = (event) => !event.target.closest(".leaflet-control");

// ---------------------------------------------------------------- dragging
function grip(point) { // what can be dragged here, of the chosen route
  const route = store.chosen && routeOf(store.chosen);
  if (!route || !canEdit() || store.hidden.has(route.id) || store.mode) return null;
  const at = sight.haltAt(route, point);
  if (at !== null) return { kind: "move_stop", route, position: at, from: route.stops[at] };
  for (const side of ["first", "last"]) {
    if (route.stops.length > 1 && sight.view.map.latLngToContainerPoint(sight.extenderAt(route, side)).distanceTo(point) <= 11) {
      return { kind: "extend", route, end: side, from: null };
    }
  }
  const link = sight.linkAt(store.state.routes.indexOf(route), point);
  return link ? { kind: "insert_stop", route, position: link.position, from: null } : null;
}
function begin(event) {
  swallowed = 0;
  if (event.button !== 0 || !isMap(event) || store.busy) return;
  closeMenu();
  const held = grip(pointOf(event));
  if (!held) return;
  if (!sight.isFree(held.route)) { tell(say(held.route.locked ? "locked" : "notFree", held.route.name)); return; }
  sight.view.map.dragging.disable(); // else the map would move along
  drag = Object.assign(held, { begun: pointOf(event), moving: false, stop: null, answer: null });
  sight.frame().setPointerCapture(event.pointerId);
}
function editOf(held, stop) {
  const edit = { kind: held.kind, route: held.route.id, stop };
  if (held.kind === "extend") edit.end = held.end; else edit.position = held.position;
  return edit;
}
function move(event) {
  if (!drag) { hover(event); return; }
  const point = pointOf(event);
  if (!drag.moving) {
    if (point.distanceTo(drag.begun) < CLICK_PX) return;
    drag.moving = true;
    hideTip();
    document.body.classList.add("dragging");
    sight.showDots(true);
    sight.beginPreview();
  }
  const skip = new Set(drag.route.stops.filter((stop) => stop !== drag.from));
  const stop = sight.nearestStop(latLngOf(event), SNAP_PX, skip);
  if (stop === drag.stop) return;
  drag.stop = stop;
  sight.showTarget(stop);
  if (stop === null) { tell(say("noStopHere")); return; }
  if (stop === drag.from) { forgetPreviews(); sight.clearPreview(); sight.showHexes(store.state.hexes); emit("numbers", store.state.numbers, store.state.limits); return; }
  const held = drag;
  preview(editOf(drag, stop), event.timeStamp, (answer, error) => {
    if (drag !== held) return;
    held.refused = error ? [stop, error.message] : null;
    if (error) { refuse(error.message); return; }
    sight.showPreview(answer);
    emit("numbers", answer.numbers, answer.limits, answer.routes);
    tell(say("releaseTo", stopName(stop)));
  });
}
function refuse(text) { // back to the line as it is, while the pointer goes on
  sight.clearPreview();
  sight.showHexes(store.state.hexes);
  emit("numbers", store.state.numbers, store.state.limits);
  tell(text);
}
async function end(event) {
  if (!drag) { if (swallowed === Infinity) swallowClick(); return; }
  const held = drag;
  drag = null;
  sight.view.map.dragging.enable();
  sight.frame().releasePointerCapture(event.pointerId);
  if (!held.moving) return; // a click, which the map tells of itself
  swallowClick();
  tidy();
  if (held.refused && held.refused[0] === held.stop) { back(); tell(held.refused[1]); return; }
  if (held.stop === null || held.stop === held.from) { back(); return; }
  if (await apply(editOf(held, held.stop))) emit("chooseStopOf", held.route.id, held.stop); else back();
}
function leave() {
  if (!drag) return;
  drag = null;
  swallowed = Infinity; // until the pointer is released
  sight.view.map.dragging.enable();
  tidy();
  back();
}
export const isDragging = () => drag !== null;
export { leave as leaveDrag };
function tidy() {
  document.body.classList.remove("dragging");
  forgetPreviews();
  sight.showDots(false);
}
export function back() { // to the plan as it is
  forgetPreviews();
  sight.endPreview();
  sight.showHexes(store.state.hexes);
  emit("numbers", store.state.numbers, store.state.limits);
}
let swallowed = 0;
function swallowClick() { swallowed = performance.now() + 80; }

// ---------------------------------------------------------------- the pointer over the map
let tip = null, hoverWaits = false;
function hover(event) {
  if (event.pointerType !== "mouse" || hoverWaits) return;
  hoverWaits = true;
  const point = pointOf(event), latLng = latLngOf(event), onMap = isMap(event);
  window.requestAnimationFrame(() => { hoverWaits = false; if (onMap && !drag && byId("menu").hidden) look(point, latLng); else hideTip(); });
}
function look(point, latLng) {
  const held = grip(point), route = sight.routeAt(point), frame = sight.frame();
  frame.style.cursor = held ? (held.kind === "insert_stop" ? "copy" : "grab") : route !== null || store.mode ? "pointer" : "";
  if (held && held.kind === "move_stop") showTip(latLng, [stopName(held.from), say(sight.isFree(held.route) ? "hintDrag" : "lockedShort")]);
  else if (held) showTip(latLng, [held.route.name, say(held.kind === "extend" ? "hintExtend" : "hintPull")]);
  else if (route !== null) showTip(latLng, [store.state.routes[route].name, say("hintChoose")]);
  else {
    const hex = sight.hexAt(latLng);
    if (hex === null) hideTip(); else showTip(latLng, sight.view.hexLines(hex).map((line) => line.join(": ")));
  }
}
function showTip(latLng, lines) {
  if (!tip) tip = L.tooltip({ direction: "right", offset: [14, 0], className: "hint" });
  const text = lines.join("\n");
  if (tip.text !== text) { tip.text = text; tip.setContent(element("div", {}, lines.map((line) => element("div", { text: line })))); }
  tip.setLatLng(latLng);
  if (!sight.view.map.hasLayer(tip)) tip.addTo(sight.view.map);
}
export function hideTip() { if (tip) tip.remove(); }

// ---------------------------------------------------------------- clicks
function click(point, latLng) {
  if (performance.now() < swallowed) return;
  hideTip();
  if (store.mode) { emit("picked", latLng, point); return; }
  const route = store.chosen && routeOf(store.chosen);
  if (route && !store.hidden.has(route.id)) {
    const at = sight.haltAt(route, point);
    if (at !== null) { emit("chooseStop", at); openMenu(point, stopItems(route, at), stopName(route.stops[at])); return; }
    const link = sight.linkAt(store.state.routes.indexOf(route), point);
    if (link) { openMenu(point, lineItems(route, link.position, latLng), route.name); return; }
  }
  const other = sight.routeAt(point);
  if (other !== null) { emit("choose", store.state.routes[other].id); return; }
  const hex = sight.hexAt(latLng);
  if (hex !== null) emit("chooseHex", hex, latLng);
}
export function stopItems(route, at) { // also the buttons below the list of stops
  const n = route.stops.length, stop = route.stops[at], free = canEdit() && sight.isFree(route);
  const endsHere = (one) => one.stops[0] === stop || one.stops[one.stops.length - 1] === stop;
  const joined = store.state.routes.filter((other) => other.id !== route.id && endsHere(other) && endsHere(route) && sight.isFree(other));
  const items = [];
  const add = (key, edit, ...values) => items.push({ text: say(key, ...values), edit });
  if (free) {
    if (n > 2) add("deleteStop", { kind: "delete_stop", route: route.id, position: at });
    if (at > 1) add("cutBefore", { kind: "cut", route: route.id, end: "first", position: at });
    if (at < n - 2 && at > 0) add("cutAfter", { kind: "cut", route: route.id, end: "last", position: at });
    if (at > 0 && at < n - 1) add("split", { kind: "split", route: route.id, position: at });
    joined.forEach((other) => add("join", { kind: "join", route: route.id, other: other.id, stop }, other.name));
  }
  items.push({ text: say("commentStop"), run: () => emit("comment", { stop, latLng: sight.latLngOf(stop) }) });
  return items;
}
function lineItems(route, position, latLng) {
  const items = [], skip = new Set(route.stops);
  if (canEdit() && sight.isFree(route)) {
    for (let k = 0; k < 3; k += 1) {
      const stop = sight.nearestStop(latLng, 90, skip);
      if (stop === null) break;
      skip.add(stop);
      items.push({ text: say("insertHere", stopName(stop)), edit: { kind: "insert_stop", route: route.id, position, stop }, stop });
    }
  }
  items.push({ text: say("commentRoute"), run: () => emit("comment", { route: route.id, latLng: [latLng.lat, latLng.lng] }) });
  items.push({ text: say("unchoose"), run: () => emit("choose", null) });
  return items;
}

// ---------------------------------------------------------------- the menu at a place, and previews of what hovers
export function showEdit(edit, stop = null) {
  sight.showTarget(stop);
  preview(edit, null, (answer, error) => {
    sight.clearPreview();
    if (error) { tell(error.message); return; }
    sight.showPreview(answer, goneBy(edit));
    emit("numbers", answer.numbers, answer.limits, answer.routes);
    speak(summary(answer.numbers));
  });
}
const goneBy = (edit) => (edit.kind === "drop" ? [edit.route] : edit.kind === "join" ? [edit.route, edit.other] : Object.keys(edit.changes || {}));
export const summary = (numbers) => numbers.filter((row) => row.change_text && ["presence", "served", "km", "buses"].includes(row.key))
  .map((row) => say("number." + row.key) + " " + row.text + ", " + row.change_text).join("; ") || say("noChange");

function openMenu(point, items, title) {
  const menu = byId("menu"), frame = byId("map").parentElement;
  menu.replaceChildren(element("p", { text: title, className: "menu-title" }), ...items.map((item) => {
    const made = button(item.text, async () => { closeMenu(); if (item.run) item.run(); else if (!(await apply(item.edit))) back(); }, { role: "menuitem", tabIndex: -1 });
    if (item.edit) {
      const show = () => showEdit(item.edit, item.stop === undefined ? null : item.stop);
      made.addEventListener("pointerenter", show);
      made.addEventListener("focus", (event) => { if (event.target.matches(":focus-visible")) show(); });
    }
    return made;
  }));
  menu.hidden = false;
  const left = Math.min(point.x + 8, frame.clientWidth - menu.offsetWidth - 8), top = Math.min(point.y + 8, frame.clientHeight - menu.offsetHeight - 8);
  menu.style.left = Math.max(8, left) + "px";
  menu.style.top = Math.max(8, top) + "px";
  menu.onkeydown = menuKeys;
  menu.onpointerleave = back;
  menu.querySelector("button").focus({ focusVisible: false });
}
function menuKeys(event) {
  const items = [...byId("menu").querySelectorAll("button")], at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (event.key === "Escape" || event.key === "Tab") { closeMenu(); back(); byId("map").focus(); event.preventDefault(); event.stopPropagation(); }
  if (to !== undefined) { items[(to + items.length) % items.length].focus(); event.preventDefault(); }
}
export function closeMenu() {
  const menu = byId("menu");
  if (menu.hidden) return false;
  menu.hidden = true;
  return true;
}
