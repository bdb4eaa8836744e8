/* Layers of the map that the report and the editor share: ground, streets, hexes, routes side by side, and the legend. */
window.owlbusMap = function (data, options) {
  "use strict";
  // options: `frame`, the element; `canvases`, which panes are drawn on which canvas; then no shape takes the pointer, and all others are SVG; `onHex` and `onRoute`, called with an index;
  // `faint`, opacity of the routes beside the chosen one; `layerTitle`, title of the legend by layer; `hexLines`, what a hex tells, instead of people; `moreLegend`, to add to it.
  const say = data.words, hexes = data.hexes, scale = data.scale, palette = data.colours;
  const SVG = "http://www.w3.org/2000/svg", LANE_PX = 3.4;
  const state = { layer: "demand", part: 0, route: null, hex: null, shown: new Set() };
  const fill = (text, ...values) => values.reduce((out, value, k) => out.replace("{" + k + "}", () => value), text);

  function element(tag, settings, ...children) {
    const made = document.createElement(tag);
    Object.entries(settings || {}).forEach(([name, value]) => {
      if (name === "text") made.textContent = value;
      else if (name in made && name !== "style") made[name] = value;
      else made.setAttribute(name, value);
    });
    made.append(...children.filter(Boolean));
    return made;
  }
  function drawn(tag, attributes, parent) {
    const made = document.createElementNS(SVG, tag);
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    if (parent) parent.append(made);
    return made;
  }
  function points(flat) { // the first point, then steps
    const out = [];
    let lat = 0, lon = 0;
    for (let k = 0; k < flat.length; k += 2) {
      lat += flat[k]; lon += flat[k + 1];
      out.push([lat / scale, lon / scale]);
    }
    return out;
  }

  // ---------------------------------------------------------------- the map
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const canvasOf = (pane) => (options.canvases ? options.canvases[pane] : undefined);
  const map = L.map(options.frame, {
    attributionControl: false, zoomSnap: 0.25, zoomDelta: 0.5, wheelPxPerZoomLevel: 120, renderer: L.svg({ padding: 0.6 }),
    zoomAnimation: false, fadeAnimation: false, inertia: !still, preferCanvas: false, zoomControl: false,
  });
  ["ground", "hexes", "marks", "streets", "terrain", "reference", "routes", "stops", "ghost", "preview", "labels"].forEach((name, k) => {
    map.createPane(name).style.zIndex = 400 + k * 10;
  });
  map.getPane("labels").classList.add("labels");
  map.getPane("labels").setAttribute("aria-hidden", "true"); // tables and details name the same stops
  const renderers = {};
  function renderer(pane) {
    const home = canvasOf(pane) || pane;
    renderers[home] = renderers[home] || (canvasOf(pane) ? L.canvas({ pane: home, padding: 0.1 }) : L.svg({ pane, padding: 0.6 }));
    return renderers[home];
  }
  const shapeOptions = (pane, more) => Object.assign({ pane, renderer: renderer(pane) }, more, options.canvases ? { interactive: false } : {});
  L.control.zoom({ zoomInTitle: say.zoomIn, zoomOutTitle: say.zoomOut }).addTo(map);
  L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);

  const rings = hexes.labels.map((label, k) => {
    const ring = [];
    for (let c = 0; c < 6; c += 1) {
      const at = 12 * k + 2 * c;
      ring.push([(hexes.at[2 * k] + hexes.ring[at]) / scale, (hexes.at[2 * k + 1] + hexes.ring[at + 1]) / scale]);
    }
    return ring;
  });
  const polygons = rings.map((ring) => L.polygon(ring, shapeOptions("hexes", {
    className: "hex", color: palette.edge, weight: 0.7, fillOpacity: 1, smoothFactor: 0 })));
  const hexGroup = L.featureGroup(polygons).addTo(map);
  if (!options.canvases) {
    polygons.forEach((polygon, k) => polygon.on({
      click: () => options.onHex(k),
      mouseover: () => polygon.setStyle({ color: palette.ink, weight: 2 }).bringToFront(),
      mouseout: () => polygon.setStyle(border(k)),
    }));
    hexGroup.bindTooltip((layer) => hexTip(polygons.indexOf(layer)), { sticky: true });
  }

  data.ground.hills.forEach((flat) => L.polygon(points(flat), shapeOptions("terrain", {
    color: palette.hillEdge, weight: 1, fillColor: palette.hill, fillOpacity: 0.7, interactive: false })).addTo(map));
  const streets = L.polyline(data.ground.roads.map(points), shapeOptions("streets", { // one path for all of them
    className: "streets", color: palette.road, weight: 0.7, opacity: 0.8, interactive: false }));
  if (data.ground.roads.length) streets.addTo(map);
  data.ground.outline.forEach((flat) => L.polyline(points(flat), shapeOptions("terrain", {
    color: palette.outline, weight: 1.2, dashArray: "1 4", interactive: false })).addTo(map));
  data.ground.water.forEach((flat) => L.polyline(points(flat), shapeOptions("terrain", {
    className: "water", color: palette.water, weight: 6, opacity: 0.85, interactive: false })).addTo(map));

  const reference = L.layerGroup();
  (data.reference ? data.reference.routes : []).forEach((route) => {
    L.polyline(points(route.line), shapeOptions("reference", { color: "white", weight: 4, opacity: 0.8, interactive: false })).addTo(reference);
    L.polyline(points(route.line), shapeOptions("reference", { className: "reference", color: palette.ink, weight: 2, dashArray: "2 5" }))
      .bindTooltip(element("span", { text: route.name + " · " + data.reference.name }), { sticky: true }).addTo(reference);
  });

  // ---------------------------------------------------------------- routes
  // Routes on one street lie side by side: each link is moved by its lane, in pixels of the zoom at hand.
  function laned(info) {
    const out = [];
    info.links.forEach((lane, k) => {
      const line = info.points[k].map((at) => map.project(at));
      const way = line[line.length - 1].subtract(line[0]), length = Math.hypot(way.x, way.y) || 1;
      const shift = L.point(way.y / length, -way.x / length).multiplyBy(lane * LANE_PX);
      line.forEach((at) => out.push(map.unproject(at.add(shift))));
    });
    return out;
  }
  let routes = [];
  function routeLayers(info, k) { // `info` as in the data of the map, with `points` of each link and `halts`, latitude and longitude
    const halts = info.halts, line = (more) => L.polyline(halts, shapeOptions("routes", Object.assign({ lineJoin: "round", smoothFactor: 0 }, more)));
    const lines = [
      line({ color: "white", weight: 5.5, interactive: false }),
      line({ className: "route", color: info.colour, weight: 3, dashArray: info.dashes || null, interactive: false }),
    ];
    if (!options.canvases) {
      lines.push(line({ color: info.colour, weight: 16, opacity: 0, className: "hit" }));
      lines[2].bindTooltip(element("span", { text: info.name }), { sticky: true });
      lines[2].on("click", (event) => { L.DomEvent.stopPropagation(event); options.onRoute(k); });
    }
    const stops = halts.map((at, s) => {
      const dot = L.circleMarker(at, shapeOptions("stops", { radius: 3, color: info.colour, weight: 1.5, fillColor: "white", fillOpacity: 1, className: "stop" }));
      return options.canvases ? dot : dot.bindTooltip(element("span", { text: fill(say.stop, info.names[s]) })).on("click", () => options.onRoute(k));
    });
    const ends = (halts.length ? [0, halts.length - 1] : []).map((s) => {
      const label = element("span", { text: info.name });
      label.style.background = info.colour;
      const icon = L.divIcon({ className: "terminal", html: label, iconSize: [44, 20], iconAnchor: [22, 10] });
      return L.marker(halts[s], { icon, keyboard: false, riseOnHover: true }).on("click", () => options.onRoute(k));
    });
    const dots = (halts.length ? [0, halts.length - 1] : []).map((s) => L.circleMarker(halts[s], shapeOptions("routes", {
      radius: 4, color: info.colour, weight: 2, fillColor: "white", fillOpacity: 1, className: "end-dot", interactive: false })));
    return { info, lines, ends, dots, halts, stops: L.layerGroup(stops), group: L.layerGroup([...lines, ...dots, ...ends]) };
  }
  function setRoutes(infos) {
    routes.forEach((route) => { route.group.remove(); route.stops.remove(); });
    routes = infos.map(routeLayers);
    routes.forEach((route, k) => { if (state.shown.has(k)) route.group.addTo(map); });
  }
  function show(k, on) {
    if (on) { state.shown.add(k); routes[k].group.addTo(map); } else { state.shown.delete(k); routes[k].group.remove(); }
  }
  function emphasise() { // the chosen route before the others
    routes.forEach((route, k) => {
      const isFaint = state.route !== null && state.route !== k, faint = options.faint || 0.3;
      route.lines[0].setStyle({ opacity: isFaint ? faint + 0.1 : 1 });
      route.lines[1].setStyle({ opacity: isFaint ? faint : 1, weight: state.route === k ? 5 : 3 });
      if (state.route === k) route.lines.forEach((line) => line.bringToFront());
    });
  }
  function place() {
    routes.forEach((route) => { const line = laned(route.info); route.lines.forEach((part) => part.setLatLngs(line)); });
    const close = map.getZoom() >= view.home + 1.2;
    streets.setStyle({ weight: close ? 1.1 : 0.7 });
    names.spread();
    routes.forEach((route, k) => {
      const wanted = state.shown.has(k) && (close || state.route === k);
      if (wanted !== map.hasLayer(route.stops)) { if (wanted) route.stops.addTo(map); else route.stops.remove(); }
    });
  }
  function whole() {
    const frame = map.getSize();
    if (Math.min(frame.x, frame.y) < 40) return; // a frame that is not laid out yet has no zoom
    map.options.zoomSnap = 0; // else the city would fill the frame only by chance
    map.fitBounds(hexGroup.getBounds(), { padding: [8, 8], animate: false });
    map.options.zoomSnap = 0.25;
    view.home = map.getZoom();
  }

  // ---------------------------------------------------------------- colours
  const row = () => hexes.classes[state.part];
  const HALF = 50; // percent of a hex's area from which it counts as within the walk
  const kinds = ["both", "gained", "gainedPart", "lost", "lostPart", "neither"];
  const kind = (k) => kinds[Number(hexes.change[k])];
  // Patterns tell without colour too. Each is a tile: `size`, background, and a path that is stroked.
  const defs = drawn("defs", {}, drawn("svg", { width: 0, height: 0, "aria-hidden": "true", class: "defs" }, document.body));
  const tiles = { svg: new Map(), canvas: new Map() };
  function pattern(id, size, under, path, over, width, inCanvas) {
    const known = tiles[inCanvas ? "canvas" : "svg"];
    if (!known.has(id)) known.set(id, (inCanvas ? canvasPattern : svgPattern)(id, size, under, path, over, width));
    return known.get(id);
  }
  function svgPattern(id, size, under, path, over, width) {
    const made = drawn("pattern", { id, width: size, height: size, patternUnits: "userSpaceOnUse" }, defs);
    if (under) drawn("rect", { width: size, height: size, fill: under }, made);
    drawn("path", { d: path, stroke: over, "stroke-width": width }, made);
    return "url(#" + id + ")";
  }
  function canvasPattern(id, size, under, path, over, width) {
    const tile = element("canvas", { width: 2 * size, height: 2 * size }), pen = tile.getContext("2d");
    pen.scale(2, 2);
    if (under) { pen.fillStyle = under; pen.fillRect(0, 0, size, size); }
    pen.strokeStyle = over; pen.lineWidth = width;
    pen.stroke(new Path2D(path));
    const made = pen.createPattern(tile, "repeat");
    made.setTransform(new DOMMatrix().scale(0.5));
    return made;
  }
  const hexless = (text) => text.replace("#", "");
  function striped(over, under, inCanvas) { // stripes stand for a part of a hex
    return pattern("striped-" + hexless(over) + "-" + hexless(under), 8, under, "M-2 2l4-4M0 8l8-8M6 10l4-4", over, 2.9, inCanvas);
  }
  function signed(gains, over, under, inCanvas) { // plus for what is gained, minus for what is lost
    const id = "signed-" + gains + "-" + hexless(over) + "-" + hexless(under || "none");
    return pattern(id, 9, under, gains ? "M2 4.5h5M4.5 2v5" : "M2 4.5h5", over, 1.4, inCanvas);
  }
  function shades(name, inCanvas) {
    const side = name.replace("Part", ""), mark = palette.differenceEdges[side];
    if (!mark) return palette.difference[name];
    return name === side ? signed(side === "gained", mark, palette.difference[name], inCanvas) : signed(side === "gained", palette.difference[side], palette.difference.neither, inCanvas);
  }
  const middle = data.net ? data.net.colours.length >> 1 : 0;
  function netShade(k, inCanvas) {
    const under = data.net.colours[k];
    return k === middle ? under : signed(k > middle, Math.abs(k - middle) < middle ? palette.ink : "white", under, inCanvas);
  }
  function colour(k) {
    if (state.layer === "difference") return shades(kind(k), Boolean(canvasOf("hexes")));
    if (state.layer === "net") return netShade(Number(data.net.classes[k]), Boolean(canvasOf("hexes")));
    const people = palette.hexes[Number(row()[k])], near = hexes.near[k];
    if (state.layer === "demand") return people;
    if (near > 0 && near < HALF) return striped(people, palette.faint, Boolean(canvasOf("hexes")));
    return near > 0 === (state.layer === "covered") ? people : palette.faint;
  }
  function border(k) {
    if (k === state.hex) return { color: palette.ink, weight: 3, dashArray: null };
    const mark = state.layer === "difference" && { gained: { color: palette.differenceEdges.gained, weight: 1.8, dashArray: null }, lost: { color: palette.differenceEdges.lost, weight: 1.8, dashArray: "2 3" } }[kind(k)];
    return mark || { color: palette.edge, weight: 0.7, dashArray: null };
  }
  function paintHex(k) { polygons[k].setStyle(Object.assign({ fillColor: colour(k) }, border(k))); }
  function paint() {
    polygons.forEach((polygon, k) => paintHex(k));
    if (state.layer === "difference") polygons.forEach((polygon, k) => { if (["gained", "lost"].includes(kind(k))) polygon.bringToFront(); });
    if (state.hex !== null) polygons[state.hex].bringToFront();
    legend();
  }

  // ---------------------------------------------------------------- the legend and what a hex tells
  const partName = () => (state.part === 0 ? say.night : hexes.parts[state.part]);
  function classTexts() {
    const edges = hexes.edges[Math.min(state.part, hexes.edges.length - 1)], patterns = data.patterns;
    return [fill(patterns.fewer, edges[0]), ...edges.slice(1).map((high, k) => fill(patterns.between, edges[k], high)), fill(patterns.more, edges[edges.length - 1])];
  }
  function legend() {
    const items = [];
    const add = (text, draw) => {
      const picture = drawn("svg", { width: 26, height: 18, viewBox: "0 0 26 18", "aria-hidden": "true" });
      draw(picture);
      items.push(element("li", {}, picture, element("span", { text })));
    };
    const box = (paintWith, more) => (picture) => drawn("rect", Object.assign({ x: 2, y: 2, width: 22, height: 14, rx: 2, fill: paintWith, stroke: palette.keyEdge }, more), picture);
    const stroke = (more) => (picture) => drawn("line", Object.assign({ x1: 1, x2: 25, y1: 9, y2: 9 }, more), picture);
    if (state.layer === "difference") {
      kinds.forEach((name) => add(say[name], box(shades(name), name === "lost" ? { stroke: palette.differenceEdges.lost, "stroke-width": 2, "stroke-dasharray": "2 3" } : name === "gained" ? { stroke: palette.differenceEdges.gained, "stroke-width": 2 } : {})));
    } else if (state.layer === "net") {
      data.net.texts.forEach((text, k) => add(text, box(netShade(k))));
    } else {
      classTexts().forEach((text, k) => add(text, box(palette.hexes[k])));
      if (state.layer !== "demand") {
        add(say.partly, box(striped(palette.hexes[palette.hexes.length >> 1], palette.faint)));
        add(state.layer === "covered" ? say.beyond : say.within, box(palette.faint));
      }
    }
    if (options.moreLegend) options.moreLegend(add, box, stroke);
    if (data.ground.water.length) add(say.river, stroke({ stroke: palette.water, "stroke-width": 6 }));
    if (data.ground.hills.length) add(say.hill, box(palette.hill, { stroke: palette.hillEdge }));
    if (data.ground.roads.length) add(say.road, stroke({ stroke: palette.road, "stroke-width": 1 }));
    if (data.ground.outline.length) add(say.outline, stroke({ stroke: palette.outline, "stroke-width": 1.5, "stroke-dasharray": "1 4" }));
    document.getElementById("legend").replaceChildren(...items);
    document.getElementById("legend-title").textContent = options.layerTitle(state.layer) || fill(say.legend, partName());
  }
  function hexLines(k) {
    if (options.hexLines) return options.hexLines(k);
    const by = hexes.by ? hexes.by[k].map((r) => routes[r].info.name).join(", ") : "";
    const where = hexes.district ? hexes.labels[k] + ", " + hexes.districts[hexes.district[k]] : hexes.labels[k];
    const share = (percent, none) => (percent === 0 ? none : percent === 100 ? say.whole : fill(say.area, percent));
    const reach = share(hexes.near[k], hexes.reachable[k] === "1" ? say.no : say.nostop) + (by ? fill(say.by, by) : "");
    const was = hexes.was ? [[fill(say.was, data.reference.name), share(hexes.was[k], say.no)]] : [];
    return [[fill(say.hex, where)], [say.people + ", " + partName(), fill(say.anight, classTexts()[Number(row()[k])])], [say.reach, reach], ...was, ...(data.net ? [[say.net, data.net.texts[Number(data.net.classes[k])]]] : [])];
  }
  const hexTip = (k) => element("div", {}, ...hexLines(k).map((line) => element("div", { text: line.join(": ") })));

  const view = {
    map, data, state, say, home: 0, taken: () => [], rings, polygons, hexGroup, streets, reference, kinds,
    element, drawn, fill, points, shapeOptions, signed, palette, routes: () => routes, setRoutes, show, emphasise, laned, place, whole,
    paint, paintHex, legend, partName, classTexts, hexLines, hexTip,
  };
  const names = window.owlbusNames(view);
  view.spread = names.spread;
  return view;
};
