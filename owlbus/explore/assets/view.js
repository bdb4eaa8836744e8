// The map: the layers of the report on canvases, and above them what an edit would change.
import { store, on, emit, say, element, routeOf, stopName, canEdit, byId, tint } from "./store.js";

// What has many shapes is drawn on canvases, few and no larger than they must be: each one that changes costs a copy of the whole frame.
const CANVASES = { hexes: "hexes", streets: "streets", terrain: "streets", reference: "streets", routes: "routes", stops: "routes" };
const DASHES = [null, "9 3", "3 2"], COLOURS = 9;
export let view = null;
let preview = null, marks = new Map(), target = null, handles = null, dots = null, spotlight = null;

export function makeView(data) {
  data.hexes.by = null; // holds for the plan as it was opened only
  view = window.owlbusMap(data, {
    frame: "map", canvases: CANVASES, faint: 0.55, onHex: () => {}, onRoute: (k) => emit("choose", store.state.routes[k].id),
    layerTitle: (layer) => (layer === "difference" ? say("layerReference", data.reference.name) : null), moreLegend,
  });
  store.map = view;
  view.map.createPane("target").classList.add("labels"); // a name above all others
  handles = L.layerGroup().addTo(view.map);
  dots = new Dots(view);
  view.taken = () => extenders().map((at) => { const pixel = view.map.latLngToLayerPoint(at); return [pixel.x, pixel.y, 11, 11]; });
  view.whole();
  view.map.on("zoomend", () => { view.place(); redrawHandles(); dots.toggle(); });
  view.map.on("moveend", () => { view.spread(); dots.draw(); });
  let begun = [view.map.getCenter(), view.map.getZoom()];
  new ResizeObserver(() => { // whoever has moved the map keeps their view
    const isWhole = view.map.getZoom() === begun[1] && view.map.getCenter().distanceTo(begun[0]) < 1;
    view.map.invalidateSize({ animate: false, pan: false });
    if (isWhole) { view.whole(); begun = [view.map.getCenter(), view.map.getZoom()]; }
    view.place();
    redrawHandles();
    dots.draw();
  }).observe(view.map.getContainer());
  return view;
}
function moreLegend(add, box, stroke) {
  const edges = view ? view.palette : store.about.palette, make = (gains) => (gains ? "gained" : "lost"), words = { gained: "gained", lost: "lostHex" };
  if (!view) return;
  [true, false].forEach((gains) => add(say(words[make(gains)]), (picture) => {
    box("white", { stroke: edges.differenceEdges[make(gains)], "stroke-width": 2, ...(gains ? {} : { "stroke-dasharray": "2 3" }) })(picture);
    box(view.signed(gains, edges.differenceEdges[make(gains)], ""), { stroke: "none" })(picture);
  }));
}

// ---------------------------------------------------------------- routes of a state
function usersOfLinks(routes) {
  const users = new Map();
  routes.forEach((route, k) => route.stops.slice(1).forEach((to, s) => {
    const name = Math.min(to, route.stops[s]) + "-" + Math.max(to, route.stops[s]);
    if (!users.has(name)) users.set(name, []);
    if (!users.get(name).includes(k)) users.get(name).push(k);
  }));
  return users;
}
function infoOf(route, k, users) {
  const line = view.points(route.line);
  const links = route.stops.slice(1).map((to, s) => {
    const from = route.stops[s], row = users.get(Math.min(from, to) + "-" + Math.max(from, to));
    return (row.indexOf(k) - (row.length - 1) / 2) * (from < to ? 1 : -1);
  });
  return {
    id: route.id, name: route.name, colour: route.colour, dashes: DASHES[Math.floor(k / COLOURS) % DASHES.length], links,
    points: route.at.slice(1).map((to, s) => line.slice(route.at[s], to + 1)), halts: route.at.map((at) => line[at]), names: route.names, short: route.names,
  };
}
export function showState(state) {
  endPreview();
  const users = usersOfLinks(state.routes);
  view.state.shown = new Set(state.routes.flatMap((route, k) => (store.hidden.has(route.id) ? [] : [k])));
  view.setRoutes(state.routes.map((route, k) => infoOf(route, k, users)));
  const chosen = state.routes.findIndex((route) => route.id === store.chosen);
  view.state.route = chosen < 0 ? null : chosen;
  view.emphasise();
  view.place();
  showHexes(state.hexes);
  redrawHandles();
}

// ---------------------------------------------------------------- hexes
export function showHexes(hexes) {
  if (!hexes) return;
  const data = view.data.hexes, changed = [];
  hexes.near.forEach((near, k) => { if (near !== data.near[k]) changed.push(k); });
  data.near = hexes.near;
  if (data.was) data.change = hexes.near.map((near, k) => kindOf(near - data.was[k], near)).join("");
  if (view.state.layer !== "demand") changed.forEach((k) => view.paintHex(k));
  const wanted = new Map([...hexes.gained.map((k) => [k, true]), ...hexes.lost.map((k) => [k, false])]);
  marks.forEach(([polygon, gains], k) => {
    if (wanted.get(k) !== gains) { polygon.remove(); marks.delete(k); }
  });
  wanted.forEach((gains, k) => { if (!marks.has(k)) marks.set(k, [mark(k, gains), gains]); });
}
function kindOf(change, near) { // as `owlbus.plot.style.difference_kinds`
  if (change > 0) return change >= 50 ? 1 : 2;
  if (change < 0) return change <= -50 ? 3 : 4;
  return near > 0 ? 0 : 5;
}
function mark(k, gains) { // plus and an edge, or minus and dots
  const edge = view.palette.differenceEdges[gains ? "gained" : "lost"];
  return L.polygon(view.rings[k], view.shapeOptions("marks", {
    color: edge, weight: 1.8, dashArray: gains ? null : "2 3", fillColor: view.signed(gains, edge, ""), fillOpacity: 1, smoothFactor: 0,
  })).addTo(view.map);
}
export function showReach(told, title) { // hexes by the time to them, with a legend of their own, until the map is painted anew
  const { element, drawn, palette } = view;
  view.polygons.forEach((polygon, k) => polygon.setStyle({ fillColor: palette.hexes[Number(told.classes[k])] }));
  document.getElementById("legend-title").textContent = title;
  document.getElementById("legend").replaceChildren(...told.texts.map((text, k) => {
    const picture = drawn("svg", { width: 26, height: 18, viewBox: "0 0 26 18", "aria-hidden": "true" });
    drawn("rect", { x: 2, y: 2, width: 22, height: 14, rx: 2, fill: palette.hexes[k], stroke: palette.keyEdge }, picture);
    return element("li", {}, picture, element("span", { text }));
  }));
}
export function showSides(gained, lost) { // of a comparison: drawn as marks until the state is shown again
  showHexes({ near: view.data.hexes.near, gained, lost });
}

// ---------------------------------------------------------------- what an edit would change
export function beginPreview() {
  if (!preview) preview = { lines: new Map(), group: L.layerGroup().addTo(view.map) };
}
export function showPreview(answer, gone = []) { // only what changes is drawn: it stands out, and a frame is quickly painted
  beginPreview();
  gone.forEach((id) => { const k = indexOf(id); if (k >= 0) shown("gone " + id).old.setLatLngs(view.routes()[k].lines[0].getLatLngs()); });
  answer.routes.forEach((route) => {
    const own = shown(route.id, route.colour), line = view.points(route.line), k = indexOf(route.id);
    if (k < 0) { own.now.setLatLngs(line); return; }
    const [before, after] = changedParts(store.state.routes[k], line);
    own.old.setLatLngs(before);
    own.now.setLatLngs(after);
  });
  showHexes(answer.hexes);
}
const indexOf = (id) => store.state.routes.findIndex((route) => route.id === id);
function shown(id, colour) { // old: white over the line as it is, and dotted; now: the line as it would be
  if (!preview.lines.has(id)) preview.lines.set(id, { old: pair("ghost", ["white", 7, 0.85, null], [view.palette.ink, 3, 0.7, "1 6"]), now: pair("preview", ["white", 8, 1, null], [colour || "white", 5.5, 1, null]) });
  return preview.lines.get(id);
}
function pair(pane, ...styles) {
  const lines = styles.map(([color, weight, opacity, dashArray]) => L.polyline([], view.shapeOptions(pane, { color, weight, opacity, dashArray, lineJoin: "round", smoothFactor: 0 })).addTo(preview.group));
  return { setLatLngs: (latLngs) => lines.forEach((line) => line.setLatLngs(latLngs)) };
}
function changedParts(route, line) { // of the line as it is drawn, and of the line as it would be
  const was = view.points(route.line), same = (one, other) => one[0] === other[0] && one[1] === other[1], least = Math.min(was.length, line.length);
  let head = 0, tail = 0;
  while (head < least && same(was[head], line[head])) head += 1;
  while (tail < least - head && same(was[was.length - 1 - tail], line[line.length - 1 - tail])) tail += 1;
  const from = Math.max(0, head - 1), to = Math.min(was.length - 1, was.length - tail), drawn = view.routes()[indexOf(route.id)].lines[0].getLatLngs();
  const link = (point) => Math.max(0, route.at.findIndex((at) => at >= point) - 1); // a point where two links meet is drawn twice
  return [to > from ? drawn.slice(from + link(from), to + link(to) + 1) : [], line.slice(from, Math.min(line.length, line.length - tail + 1))];
}
export function clearPreview() { // the lines as they are; what is dragged goes on
  if (!preview) return;
  preview.group.clearLayers();
  preview.lines.clear();
}
export function endPreview() {
  showTarget(null);
  if (!preview) return;
  clearPreview();
  preview.group.remove();
  preview = null;
}

// Limits that break, at their place: a dotted band along the part, and a sign that tells which limit.
let breaks = null, broken = "";
export function showLimits(limits, routes) {
  const placed = limits.filter((one) => one.route && one.from !== null && one.from !== undefined).slice(0, 12);
  const lineOf = (one) => {
    const route = routes.find((changed) => changed.id === one.route) || routeOf(one.route);
    return route ? view.points(route.line).slice(route.at[one.from], route.at[one.to === null || one.to === undefined ? one.from : one.to] + 1) : [];
  };
  const drawn = placed.map((one) => [one.text, lineOf(one)]).filter((pair) => pair[1].length), key = JSON.stringify(drawn);
  if (key === broken) return;
  broken = key;
  if (breaks) breaks.remove();
  breaks = L.layerGroup(drawn.flatMap(([text, line]) => {
    const icon = L.divIcon({ className: "warning", html: element("span", { text: "!" }), iconSize: [20, 20], iconAnchor: [10, 26] });
    const sign = L.marker(line[line.length >> 1], { icon, keyboard: false, title: text });
    return line.length > 1 ? [L.polyline(line, view.shapeOptions("ghost", { color: tint("alert"), weight: 12, opacity: 0.55, dashArray: "2 5", lineCap: "butt" })), sign] : [sign];
  })).addTo(view.map);
}
export function showTarget(stop) { // the stop that an edit would take; its name is placed by styles alone, which is quicker than a tooltip
  if (!target) {
    target = { ring: L.circleMarker([0, 0], view.shapeOptions("preview", { radius: 9, color: view.palette.ink, weight: 3, fillColor: tint("pick"), fillOpacity: 1 })),
      name: view.map.getPane("target").appendChild(element("div", { className: "target", hidden: true }, element("span"))) };
    view.map.on("zoomend", () => { if (!target.name.hidden) L.DomUtil.setPosition(target.name, view.map.latLngToLayerPoint(target.ring.getLatLng())); });
  }
  target.name.hidden = stop === null;
  if (stop === null) { target.ring.remove(); return; }
  target.ring.setLatLng(latLngOf(stop)).addTo(view.map);
  target.name.firstChild.textContent = stopName(stop);
  L.DomUtil.setPosition(target.name, view.map.latLngToLayerPoint(latLngOf(stop)).round());
}
let picked = null;
export function showPicked(stops) { // stops that a new route is drawn through
  if (picked) picked.remove();
  picked = L.layerGroup(stops.map((stop) => L.circleMarker(latLngOf(stop), view.shapeOptions("preview", {
    radius: 6, color: view.palette.ink, weight: 3, fillColor: "white", fillOpacity: 1 })))).addTo(view.map);
}
export function showSpotlight(latLngs, fit = true) { // where a limit breaks, a search leads, or a comment lies
  if (spotlight) { spotlight.remove(); spotlight = null; }
  if (!latLngs || !latLngs.length) return;
  const line = latLngs.length > 1;
  spotlight = L.layerGroup(line
    ? [L.polyline(latLngs, view.shapeOptions("ghost", { color: tint("pick"), weight: 18, opacity: 0.75 }))]
    : [L.circleMarker(latLngs[0], view.shapeOptions("preview", { radius: 14, color: view.palette.ink, weight: 3, fill: false }))]).addTo(view.map);
  if (!fit) return;
  if (line) view.map.fitBounds(latLngs, { maxZoom: view.home + 2, padding: [60, 60] });
  else view.map.setView(latLngs[0], Math.max(view.map.getZoom(), view.home + 1.75));
}

export function showOutline(hexes) { // of a group of hexes: the sides that only one of them has
  const sides = new Map(), name = (at) => at.map((value) => Math.round(value * 2e4)).join(",");
  hexes.forEach((k) => view.rings[k].forEach((from, c) => {
    const to = view.rings[k][(c + 1) % 6], key = [name(from), name(to)].sort().join(" ");
    if (sides.has(key)) sides.delete(key); else sides.set(key, [from, to]);
  }));
  showSpotlight(null);
  spotlight = L.layerGroup([["white", 7], [view.palette.ink, 3]].map(([color, weight]) => L.polyline([...sides.values()], view.shapeOptions("ghost", { color, weight })))).addTo(view.map);
  view.map.fitBounds(L.latLngBounds(hexes.flatMap((k) => view.rings[k])), { padding: [20, 20] });
}

// ---------------------------------------------------------------- handles of the chosen route
export function redrawHandles() {
  handles.clearLayers();
  const route = store.chosen && routeOf(store.chosen);
  if (!route || store.hidden.has(route.id)) return;
  const halts = haltsOf(route);
  const radius = Math.max(3.5, Math.min(6, 3.5 + view.map.getZoom() - view.home));
  halts.forEach((at, s) => {
    const here = s === store.position;
    L.circleMarker(at, view.shapeOptions("stops", {
      radius: here ? radius + 2.5 : radius, color: here ? view.palette.ink : route.colour, weight: here ? 4 : 2.5, fillColor: "white", fillOpacity: 1 })).addTo(handles);
  });
  extenders().forEach((at) => {
    const icon = L.divIcon({ className: "extender", html: element("span", { text: "+" }), iconSize: [18, 18] });
    L.marker(at, { icon, keyboard: false, interactive: false }).addTo(handles);
  });
}
function extenders() {
  const route = store.chosen && routeOf(store.chosen);
  const are = route && canEdit() && isFree(route) && route.stops.length > 1 && !store.hidden.has(route.id);
  return are ? ["first", "last"].map((end) => extenderAt(route, end)) : [];
}
export const isFree = (route) => !route.locked && route.is_free !== false;
export const haltsOf = (route) => { const line = view.points(route.line); return route.at.map((at) => line[at]); };
export function extenderAt(route, end) { // a little beyond the end, away from the stop before
  const halts = haltsOf(route), last = end === "first" ? halts[0] : halts[halts.length - 1];
  const line = view.points(route.line), near = end === "first" ? line[Math.min(3, line.length - 1)] : line[Math.max(0, line.length - 4)];
  const at = view.map.project(last), way = at.subtract(view.map.project(near)), length = Math.hypot(way.x, way.y) || 1;
  return view.map.unproject(at.add(way.multiplyBy(22 / length)));
}

// ---------------------------------------------------------------- what lies under the pointer
const worlds = new Map(); // positions in pixels of zoom 0
function world(name, latLngs) {
  if (!worlds.has(name)) {
    const flat = new Float64Array(2 * latLngs.length);
    latLngs.forEach((at, k) => { const pixel = view.map.project(at, 0); flat[2 * k] = pixel.x; flat[2 * k + 1] = pixel.y; });
    worlds.set(name, flat);
  }
  return worlds.get(name);
}
function nearest(flat, latLng, mostPx, skip) {
  const at = view.map.project(latLng, 0), zoom = view.map.getZoomScale(view.map.getZoom(), 0);
  let best = -1, least = (mostPx / zoom) ** 2;
  for (let k = 0; k < flat.length / 2; k += 1) {
    const d = (flat[2 * k] - at.x) ** 2 + (flat[2 * k + 1] - at.y) ** 2;
    if (d < least && !(skip && skip.has(k))) { least = d; best = k; }
  }
  return best < 0 ? null : best;
}
export const stopWorld = () => world("stops", store.network.stops);
export const latLngOf = (stop) => store.network.stops[stop];
export const nearestStop = (latLng, mostPx = 40, skip = null) => nearest(stopWorld(), latLng, mostPx, skip);
export function hexAt(latLng) {
  const data = view.data.hexes, scale = view.data.scale;
  const centres = world("hexes", view.rings.map((ring, k) => [data.at[2 * k] / scale, data.at[2 * k + 1] / scale]));
  const side = view.map.project(view.rings[0][0], 0).distanceTo(view.map.project([data.at[0] / scale, data.at[1] / scale], 0));
  return nearest(centres, latLng, side * view.map.getZoomScale(view.map.getZoom(), 0) * 1.02);
}
export function haltAt(route, point, mostPx = 11) { // position of the stop of a route at a point of the frame
  let best = null, least = mostPx;
  haltsOf(route).forEach((at, s) => { const d = view.map.latLngToContainerPoint(at).distanceTo(point); if (d <= least) { least = d; best = s; } });
  return best;
}
export function linkAt(k, point, mostPx = 8) { // position of the stop before the part of a line at a point
  const info = view.routes()[k].info, at = L.point(point);
  let best = null, least = mostPx;
  info.points.forEach((part, s) => {
    const line = part.map((end) => view.map.latLngToContainerPoint(end));
    for (let p = 1; p < line.length; p += 1) {
      const d = L.LineUtil.pointToSegmentDistance(at, line[p - 1], line[p]);
      if (d < least) { least = d; best = s; }
    }
  });
  return best === null ? null : { position: best, distance: least };
}
export function routeAt(point, mostPx = 9) { // index of the nearest shown line
  let best = null, least = mostPx;
  const layer = view.map.containerPointToLayerPoint(point);
  view.state.shown.forEach((k) => {
    const found = view.routes()[k].lines[0].closestLayerPoint(layer);
    if (found && found.distance < least) { least = found.distance; best = k; }
  });
  return best;
}

// ---------------------------------------------------------------- stops of the network, when they are needed
class Dots {
  constructor(on) {
    this.view = on;
    this.canvas = on.map.getPane("reference").appendChild(element("canvas", { className: "dots" }));
    this.wanted = false;
    this.canvas.hidden = true;
  }
  toggle(wanted = this.wanted) {
    this.wanted = wanted;
    this.canvas.hidden = !(wanted || (store.chosen && this.view.map.getZoom() >= this.view.home + 1.5));
    this.draw();
  }
  draw() {
    if (this.canvas.hidden) return;
    const map = this.view.map, size = map.getSize(), sharp = window.devicePixelRatio || 1;
    if (this.canvas.width !== size.x * sharp || this.canvas.height !== size.y * sharp) {
      this.canvas.width = size.x * sharp; this.canvas.height = size.y * sharp;
      this.canvas.style.width = size.x + "px"; this.canvas.style.height = size.y + "px";
    }
    L.DomUtil.setPosition(this.canvas, map.containerPointToLayerPoint([0, 0]));
    const pen = this.canvas.getContext("2d"), flat = stopWorld(), zoom = map.getZoomScale(map.getZoom(), 0);
    const corner = map.containerPointToLatLng([0, 0]), from = map.project(corner, 0);
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    pen.clearRect(0, 0, size.x, size.y);
    pen.fillStyle = "white"; pen.strokeStyle = tint("soft"); pen.lineWidth = 1;
    const radius = zoom > 0 && map.getZoom() >= this.view.home + 1.5 ? 2.6 : 1.3;
    for (let k = 0; k < flat.length; k += 2) {
      const x = (flat[k] - from.x) * zoom, y = (flat[k + 1] - from.y) * zoom;
      if (x < -4 || y < -4 || x > size.x + 4 || y > size.y + 4) continue;
      pen.beginPath();
      pen.arc(x, y, radius, 0, 7);
      pen.fill();
      pen.stroke();
    }
  }
}
export const showDots = (wanted) => dots.toggle(wanted);
on("chosen", () => { if (dots) dots.toggle(); });

// A stop in the direction of an arrow key, as a reader of the map sees it: near, and not far off the direction.
const WAYS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
export function stopTowards(from, key, skip) {
  const flat = stopWorld(), [dx, dy] = WAYS[key], x = flat[2 * from], y = flat[2 * from + 1];
  let best = from, least = Infinity;
  for (let k = 0; k < flat.length / 2; k += 1) {
    const ax = flat[2 * k] - x, ay = flat[2 * k + 1] - y, ahead = ax * dx + ay * dy, aside = Math.abs(ax * dy) + Math.abs(ay * dx);
    if (ahead <= 0 || aside > ahead || skip.has(k)) continue;
    const cost = ahead + 2 * aside;
    if (cost < least) { least = cost; best = k; }
  }
  return best;
}
export function keepInSight(stop) {
  const at = view.map.latLngToContainerPoint(latLngOf(stop)), size = view.map.getSize();
  if (at.x < 60 || at.y < 60 || at.x > size.x - 60 || at.y > size.y - 60) view.map.panTo(latLngOf(stop), { animate: false });
}
export const frame = () => byId("map");
