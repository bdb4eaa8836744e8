(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const say = data.words, hexes = data.hexes, scale = data.scale;
  const SVG = "http://www.w3.org/2000/svg";
  const LANE_PX = 3.4, palette = data.colours;
  const number = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const fill = (text, ...values) => values.reduce((out, value, k) => out.replace("{" + k + "}", () => value), text);
  const count = (value) => (value === null || value === undefined ? "–" : value === 0 && data.base > 0 ? "<" + data.base : number.format(value));
  const state = { layer: document.querySelector("input[name=layer]:checked").value, part: 0, route: null, hex: null, shown: new Set(data.routes.keys()) };

  function element(tag, options, ...children) {
    const made = document.createElement(tag);
    Object.entries(options || {}).forEach(([name, value]) => {
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
  const map = L.map("map", {
    attributionControl: false, zoomSnap: 0.25, zoomDelta: 0.5, wheelPxPerZoomLevel: 120, renderer: L.svg({ padding: 0.6 }),
    zoomAnimation: false, fadeAnimation: false, inertia: !still, preferCanvas: false, zoomControl: false,
  });
  ["ground", "hexes", "streets", "terrain", "reference", "routes", "stops", "labels"].forEach((name, k) => {
    map.createPane(name).style.zIndex = 400 + k * 10;
  });
  map.getPane("labels").classList.add("labels");
  map.getPane("labels").setAttribute("aria-hidden", "true"); // tables and details name the same stops
  const shapeOptions = (pane, more) => Object.assign({ pane, renderer: renderer(pane) }, more);
  const renderers = {};
  function renderer(pane) {
    renderers[pane] = renderers[pane] || L.svg({ pane, padding: 0.6 });
    return renderers[pane];
  }
  L.control.zoom({ zoomInTitle: say.zoomIn, zoomOutTitle: say.zoomOut }).addTo(map);
  L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);

  const polygons = hexes.labels.map((label, k) => {
    const ring = [];
    for (let c = 0; c < 6; c += 1) {
      const at = 12 * k + 2 * c;
      ring.push([(hexes.at[2 * k] + hexes.ring[at]) / scale, (hexes.at[2 * k + 1] + hexes.ring[at + 1]) / scale]);
    }
    return L.polygon(ring, shapeOptions("hexes", { className: "hex", color: palette.edge, weight: 0.7, fillOpacity: 1, smoothFactor: 0 }));
  });
  const hexGroup = L.featureGroup(polygons).addTo(map);
  polygons.forEach((polygon, k) => polygon.on({
    click: () => choose({ hex: k }),
    mouseover: () => polygon.setStyle({ color: palette.ink, weight: 2 }).bringToFront(),
    mouseout: () => polygon.setStyle(border(k)),
  }));
  hexGroup.bindTooltip((layer) => element("div", {}, ...hexLines(polygons.indexOf(layer)).map((row) => element("div", { text: row.join(": ") }))), { sticky: true });

  data.ground.hills.forEach((flat) => L.polygon(points(flat), shapeOptions("terrain", {
    color: palette.hillEdge, weight: 1, fillColor: palette.hill, fillOpacity: 0.7, interactive: false })).addTo(map));
  const streets = L.polyline(data.ground.roads.map(points), shapeOptions("streets", { // one path for all of them
    className: "streets", color: palette.road, weight: 0.7, opacity: 0.8, interactive: false }));
  if (data.ground.roads.length) streets.addTo(map);
  data.ground.outline.forEach((flat) => L.polyline(points(flat), shapeOptions("terrain", {
    color: palette.outline, weight: 1.2, dashArray: "1 4", interactive: false })).addTo(map));
  data.ground.water.forEach((flat) => L.polyline(points(flat), shapeOptions("terrain", {
    className: "water", color: palette.water, weight: 6, opacity: 0.85, interactive: false })).addTo(map));

  const old = L.layerGroup();
  (data.reference ? data.reference.routes : []).forEach((route) => {
    L.polyline(points(route.line), shapeOptions("reference", { color: "white", weight: 4, opacity: 0.8, interactive: false })).addTo(old);
    L.polyline(points(route.line), shapeOptions("reference", { className: "reference", color: palette.ink, weight: 2, dashArray: "2 5" }))
      .bindTooltip(element("span", { text: route.name + " · " + data.reference.name }), { sticky: true }).addTo(old);
  });

  // Routes on one street lie side by side: each link is moved by its lane, in pixels of the zoom at hand.
  function laned(route) {
    const out = [];
    route.links.forEach((lane, k) => {
      const line = route.points[k].map((at) => map.project(at));
      const way = line[line.length - 1].subtract(line[0]), length = Math.hypot(way.x, way.y) || 1;
      const shift = L.point(way.y / length, -way.x / length).multiplyBy(lane * LANE_PX);
      line.forEach((at) => out.push(map.unproject(at.add(shift))));
    });
    return out;
  }
  const routes = data.routes.map((route, k) => {
    route.points = route.lines.map(points);
    const halts = points(route.stops);
    const line = (more) => L.polyline(halts, shapeOptions("routes", Object.assign({ lineJoin: "round", smoothFactor: 0 }, more)));
    const lines = [
      line({ color: "white", weight: 5.5, interactive: false }),
      line({ className: "route", color: route.colour, weight: 3, dashArray: route.dashes || null, interactive: false }),
      line({ color: route.colour, weight: 16, opacity: 0, className: "hit" }),
    ];
    lines[2].bindTooltip(element("span", { text: route.name }), { sticky: true });
    lines[2].on("click", (event) => { L.DomEvent.stopPropagation(event); choose({ route: k }); });
    const stops = halts.map((at, s) => L.circleMarker(at, shapeOptions("stops", {
      radius: 3, color: route.colour, weight: 1.5, fillColor: "white", fillOpacity: 1, className: "stop",
    })).bindTooltip(element("span", { text: fill(say.stop, route.names[s]) })).on("click", () => choose({ route: k })));
    const ends = [0, halts.length - 1].map((s) => {
      const label = element("span", { text: route.name });
      label.style.background = route.colour;
      const icon = L.divIcon({ className: "terminal", html: label, iconSize: [44, 20], iconAnchor: [22, 10] });
      return L.marker(halts[s], { icon, keyboard: false, riseOnHover: true }).on("click", () => choose({ route: k }));
    });
    const dots = [0, halts.length - 1].map((s) => L.circleMarker(halts[s], shapeOptions("routes", {
      radius: 4, color: route.colour, weight: 2, fillColor: "white", fillOpacity: 1, className: "end-dot", interactive: false })));
    return { lines, ends, halts, stops: L.layerGroup(stops), group: L.layerGroup([...lines, ...dots, ...ends]), card: route.card };
  });
  // ---------------------------------------------------------------- names on the map
  // Boxes are given by their middle and half their size, in pixels of the layer; the most important names take their spot first.
  const board = { taken: [], lines: new Map() };
  const pen = document.createElement("canvas").getContext("2d");
  const CELL_PX = 6, TURNS = [0, 0.7, -0.7, 1.4, -1.4, 2.1, -2.1, 2.8];
  const STYLES = { badge: ["700 11px system-ui, sans-serif", 10, 17], end: ["600 11px system-ui, sans-serif", 4, 14], district: ["700 13px system-ui, sans-serif", 4, 17], place: ["11px system-ui, sans-serif", 4, 14], stop: ["11px system-ui, sans-serif", 4, 14] };
  const cut = (text) => (text.length > 26 ? text.slice(0, 25).trim() + "…" : text);
  function half(text, style) {
    pen.font = STYLES[style][0];
    return [(pen.measureText(text).width + STYLES[style][1]) / 2, STYLES[style][2] / 2];
  }
  function isFree(x, y, size, frame) {
    if (frame && (x - size[0] < frame.min.x || x + size[0] > frame.max.x || y - size[1] < frame.min.y || y + size[1] > frame.max.y)) return false;
    return board.taken.every((box) => Math.abs(x - box[0]) >= size[0] + box[2] || Math.abs(y - box[1]) >= size[1] + box[3]);
  }
  function crossings(x, y, size) { // cells of routes under a box
    let count = 0;
    for (let row = Math.floor((y - size[1]) / CELL_PX); row <= Math.floor((y + size[1]) / CELL_PX); row += 1) {
      for (let column = Math.floor((x - size[0]) / CELL_PX); column <= Math.floor((x + size[0]) / CELL_PX); column += 1) {
        if (board.lines.has(column + "," + row)) count += 1;
      }
    }
    return count;
  }
  function trace(line) { // layer points of a route, `CELL_PX` apart
    const out = [];
    line.slice(1).forEach((to, k) => {
      const from = line[k], length = from.distanceTo(to), n = Math.max(1, Math.ceil(length / CELL_PX));
      for (let step = 0; step < n; step += 1) out.push(from.add(to.subtract(from).multiplyBy(step / n)));
    });
    return out;
  }
  function write(text, style, x, y, size, more) {
    board.taken.push([x, y, size[0], size[1]]);
    const made = element("span", { className: "name " + style, text });
    if (more && more.colour) made.style.background = more.colour;
    made.style.transform = "translate(" + Math.round(x - size[0]) + "px," + Math.round(y - size[1]) + "px)";
    made.style.width = Math.ceil(2 * size[0]) + "px";
    map.getPane("labels").append(made);
  }
  function beside(at, size, gap) { // spots right, left, above and below of a point
    return [[size[0] + gap, 0], [-size[0] - gap, 0], [0, -size[1] - gap], [0, size[1] + gap]].map(([x, y]) => [at.x + x, at.y + y]);
  }
  function best(spots, size, most, frame) {
    const free = spots.filter(([x, y]) => isFree(x, y, size, frame)).map(([x, y]) => [crossings(x, y, size), x, y]);
    free.sort((one, other) => one[0] - other[0]);
    return free.length && free[0][0] <= most ? free[0].slice(1) : null;
  }
  function nameEnds(shown) { // route names lie away from the middle of the hexes, and turn around their stop where another name lies
    const middle = map.latLngToLayerPoint(hexGroup.getBounds().getCenter()), below = new Map();
    shown.forEach((k) => routes[k].ends.forEach((marker, end) => {
      const icon = marker.getElement();
      if (!icon) return;
      const at = map.latLngToLayerPoint(marker.getLatLng()), away = Math.atan2(at.y - middle.y, at.x - middle.x);
      const size = [icon.firstChild.offsetWidth / 2 + 1, icon.firstChild.offsetHeight / 2 + 1];
      const spots = [1, 1.9, 2.8].flatMap((ring) => TURNS.map((turn) => [
        at.x + ring * (size[0] * 0.35 + 12) * Math.cos(away + turn), at.y + ring * (size[1] * 0.35 + 12) * Math.sin(away + turn)]));
      const [x, y] = spots.find(([left, top]) => isFree(left, top, size)) || spots[0];
      board.taken.push([x, y, size[0], size[1]], [at.x, at.y, 4, 4]);
      icon.style.marginLeft = x - at.x - 22 + "px"; icon.style.marginTop = y - at.y - 10 + "px";
      const names = data.routes[k].short, text = cut(end ? names[names.length - 1] : names[0]);
      if (!below.has(text)) below.set(text, [x, y, size]);
    }));
    return below;
  }
  function nameTerminals(below, frame) {
    below.forEach(([x, y, badge], text) => {
      const size = half(text, "end"), dx = badge[0] + size[0], dy = badge[1] + size[1];
      const spot = best([[x, y + dy], [x, y - dy], [x + dx, y], [x - dx, y]], size, Infinity, frame);
      if (spot) write(text, "end", spot[0], spot[1], size);
    });
  }
  function nameAlong(k, line, frame) { // two or three times across the frame, away from the ends
    const size = half(data.routes[k].name, "badge"), apart = Math.round(Math.max(240, 0.42 * map.getSize().x) / CELL_PX), done = [];
    for (let at = Math.round(apart / 2.4); at < line.length - apart / 2.4; at += 4) {
      const point = line[at];
      if (done.every((other) => at - other >= apart) && isFree(point.x, point.y, size, frame)) {
        done.push(at);
        write(data.routes[k].name, "badge", point.x, point.y, size, { colour: data.routes[k].colour });
      }
    }
  }
  function nameStops(shown, frame) { // close to the ground
    const seen = new Set();
    shown.forEach((k) => routes[k].halts.forEach((halt, s) => {
      const text = cut(data.routes[k].short[s]), at = map.latLngToLayerPoint(halt);
      if (seen.has(text) || !frame.contains(at)) return;
      seen.add(text);
      const size = half(text, "stop"), spot = best(beside(at, size, 5), size, 6, frame);
      if (spot) write(text, "stop", spot[0], spot[1], size);
    }));
  }
  function spread() {
    const shown = [...state.shown].sort((one, other) => one - other), zoom = map.getZoom() - home;
    const corner = map.containerPointToLayerPoint([0, 0]), frame = L.bounds(corner.add([2, 2]), corner.add(map.getSize()).subtract([2, 2]));
    const edge = map.getContainer().getBoundingClientRect();
    board.taken = [...map.getContainer().querySelectorAll(".leaflet-control")].map((control) => { // no name under a control
      const box = control.getBoundingClientRect();
      return [corner.x + box.left + box.width / 2 - edge.left, corner.y + box.top + box.height / 2 - edge.top, box.width / 2 + 4, box.height / 2 + 4];
    });
    board.lines = new Map();
    map.getPane("labels").replaceChildren();
    const lines = shown.map((k) => trace(routes[k].lines[0].getLatLngs().map((at) => map.latLngToLayerPoint(at))));
    lines.flat().forEach((at) => board.lines.set(Math.floor(at.x / CELL_PX) + "," + Math.floor(at.y / CELL_PX), true));
    const below = nameEnds(shown);
    nameTerminals(below, frame);
    shown.forEach((k, row) => nameAlong(k, lines[row], frame));
    data.labels.forEach(([text, isArea, lat, lon]) => {
      const at = map.latLngToLayerPoint([lat / scale, lon / scale]);
      if (!frame.contains(at)) return;
      const size = half(text, isArea ? "district" : "place");
      const spots = isArea ? [[at.x, at.y], ...[1, -1, 2, -2].map((turn) => [at.x, at.y + turn * 1.3 * size[1]]), [at.x + size[0], at.y], [at.x - size[0], at.y]] : beside(at, size, 4);
      const spot = (isArea || isFree(at.x, at.y, [2, 2], frame)) && best(spots, size, isArea ? 12 : 4, frame);
      if (!spot) return;
      write(text, isArea ? "district" : "place", spot[0], spot[1], size);
      if (!isArea) {
        const dot = element("span", { className: "dot" });
        dot.style.transform = "translate(" + Math.round(at.x - 2) + "px," + Math.round(at.y - 2) + "px)";
        map.getPane("labels").append(dot);
        board.taken.push([at.x, at.y, 3, 3]);
      }
    });
    if (zoom >= 1.7) nameStops(shown, frame);
  }
  function place() {
    data.routes.forEach((route, k) => routes[k].lines.forEach((line) => line.setLatLngs(laned(route))));
    const close = map.getZoom() >= home + 1.2;
    streets.setStyle({ weight: close ? 1.1 : 0.7 });
    spread();
    routes.forEach((route, k) => {
      const wanted = state.shown.has(k) && (close || state.route === k);
      if (wanted !== map.hasLayer(route.stops)) { if (wanted) route.stops.addTo(map); else route.stops.remove(); }
    });
  }
  let home = 0;
  function whole() {
    const frame = map.getSize();
    if (Math.min(frame.x, frame.y) < 40) return; // a frame that is not laid out yet has no zoom
    map.options.zoomSnap = 0; // else the city would fill the frame only by chance
    map.fitBounds(hexGroup.getBounds(), { padding: [8, 8], animate: false });
    map.options.zoomSnap = 0.25;
    home = map.getZoom();
  }

  // ---------------------------------------------------------------- colours
  const row = () => hexes.classes[state.part];
  const HALF = 50; // percent of a hex's area from which it counts as within the walk
  const kinds = ["both", "gained", "gainedPart", "lost", "lostPart", "neither"];
  const kind = (k) => kinds[Number(hexes.change[k])];
  // Stripes stand for a part of a hex: of `over` on `under`, told without colour too.
  const stripes = drawn("defs", {}, drawn("svg", { width: 0, height: 0, "aria-hidden": "true", style: "position:absolute" }, document.body));
  const known = new Set();
  function striped(over, under) {
    const id = "striped-" + over.slice(1) + "-" + under.slice(1);
    if (!known.has(id)) {
      known.add(id);
      const pattern = drawn("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, stripes);
      drawn("rect", { width: 6, height: 6, fill: under }, pattern);
      drawn("rect", { width: 3, height: 6, fill: over }, pattern);
    }
    return "url(#" + id + ")";
  }
  function signed(gains, over, under) { // plus for what is gained, minus for what is lost
    const id = "signed-" + gains + "-" + over.slice(1) + "-" + under.slice(1);
    if (!known.has(id)) {
      known.add(id);
      const pattern = drawn("pattern", { id, width: 9, height: 9, patternUnits: "userSpaceOnUse" }, stripes);
      drawn("rect", { width: 9, height: 9, fill: under }, pattern);
      drawn("path", { d: gains ? "M2 4.5h5M4.5 2v5" : "M2 4.5h5", stroke: over, "stroke-width": 1.4 }, pattern);
    }
    return "url(#" + id + ")";
  }
  function shades(name) {
    const side = name.replace("Part", ""), mark = palette.differenceEdges[side];
    if (!mark) return palette.difference[name];
    return name === side ? signed(side === "gained", mark, palette.difference[name]) : signed(side === "gained", palette.difference[side], palette.difference.neither);
  }
  const middle = data.net ? data.net.colours.length >> 1 : 0;
  function netShade(k) {
    const under = data.net.colours[k];
    return k === middle ? under : signed(k > middle, Math.abs(k - middle) < middle ? palette.ink : "white", under);
  }
  function colour(k) {
    if (state.layer === "difference") return shades(kind(k));
    if (state.layer === "net") return netShade(Number(data.net.classes[k]));
    const people = palette.hexes[Number(row()[k])], near = hexes.near[k];
    if (state.layer === "demand") return people;
    if (near > 0 && near < HALF) return striped(people, palette.faint);
    return near > 0 === (state.layer === "covered") ? people : palette.faint;
  }
  function border(k) {
    if (k === state.hex) return { color: palette.ink, weight: 3, dashArray: null };
    const mark = state.layer === "difference" && { gained: { color: palette.differenceEdges.gained, weight: 1.8, dashArray: null }, lost: { color: palette.differenceEdges.lost, weight: 1.8, dashArray: "2 3" } }[kind(k)];
    return mark || { color: palette.edge, weight: 0.7, dashArray: null };
  }
  function paint() {
    polygons.forEach((polygon, k) => polygon.setStyle(Object.assign({ fillColor: colour(k) }, border(k))));
    if (state.layer === "difference") polygons.forEach((polygon, k) => { if (["gained", "lost"].includes(kind(k))) polygon.bringToFront(); });
    if (state.hex !== null) polygons[state.hex].bringToFront();
    legend();
  }
  const partName = () => (state.part === 0 ? say.night : hexes.parts[state.part]);
  function classTexts() {
    const edges = hexes.edges[state.part === 0 ? 0 : 1], patterns = data.patterns;
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
    if (data.ground.water.length) add(say.river, stroke({ stroke: palette.water, "stroke-width": 6 }));
    if (data.ground.hills.length) add(say.hill, box(palette.hill, { stroke: palette.hillEdge }));
    if (data.ground.roads.length) add(say.road, stroke({ stroke: palette.road, "stroke-width": 1 }));
    if (data.ground.outline.length) add(say.outline, stroke({ stroke: palette.outline, "stroke-width": 1.5, "stroke-dasharray": "1 4" }));
    document.getElementById("legend").replaceChildren(...items);
    const title = state.layer === "net" ? say.net : state.layer === "difference" ? document.querySelector("input[value=difference] + span").textContent : fill(say.legend, partName());
    document.getElementById("legend-title").textContent = title;
  }

  // ---------------------------------------------------------------- details
  function hexLines(k) {
    const by = hexes.by[k].map((r) => data.routes[r].name).join(", ");
    const where = hexes.district ? hexes.labels[k] + ", " + hexes.districts[hexes.district[k]] : hexes.labels[k];
    const share = (percent, none) => (percent === 0 ? none : percent === 100 ? say.whole : fill(say.area, percent));
    const reach = share(hexes.near[k], hexes.reachable[k] === "1" ? say.no : say.nostop) + (by ? fill(say.by, by) : "");
    const was = hexes.was ? [[fill(say.was, data.reference.name), share(hexes.was[k], say.no)]] : [];
    return [[fill(say.hex, where)], [say.people + ", " + partName(), fill(say.anight, classTexts()[Number(row()[k])])], [say.reach, reach], ...was, ...(data.net ? [[say.net, data.net.texts[Number(data.net.classes[k])]]] : [])];
  }
  function pairs(rows) {
    return element("dl", {}, ...rows.map(([name, value, key]) => element("div", {}, element("dt", { text: name }), element("dd", { text: value, "data-key": key || "" }))));
  }
  function loads(route) {
    const top = Math.max(1, ...route.loads.flat().map((value) => value || 0)), n = route.loads.length;
    const picture = drawn("svg", { viewBox: "0 0 " + 10 * n + " 100", preserveAspectRatio: "none", role: "img", "aria-label": say.loads });
    route.loads.forEach((sides, k) => sides.forEach((value, side) => {
      const high = 48 * (value || 0) / top;
      drawn("rect", { x: 10 * k + 0.6, width: 8.8, y: side ? 50 : 50 - high, height: high, fill: route.colour, opacity: side ? 0.55 : 1 }, picture);
    }));
    drawn("line", { x1: 0, x2: 10 * n, y1: 50, y2: 50, stroke: palette.ink, "stroke-width": 1, "vector-effect": "non-scaling-stroke" }, picture);
    return element("figure", {}, element("figcaption", { text: say.loads + " (↑ " + say.ahead + ", ↓ " + say.back + ")" }), picture);
  }
  function tell() {
    const box = document.getElementById("details");
    if (state.route !== null) {
      const route = data.routes[state.route], card = route.card;
      box.replaceChildren(element("h4", { text: route.name }), pairs([
        [say.km, (card.length_m / 1000).toFixed(1), "length_m"], [say.min, (card.ride_s / 60).toFixed(0), "ride_s"],
        [say.headway, String(card.headway_s / 60), "headway_s"], [say.buses, String(card.buses), "buses"], [say.stops, String(card.n_stops), "n_stops"],
        [say.boardings, count(card.boardings_trips), "boardings_trips"], [say.transfers, count(card.transfers_trips), "transfers_trips"],
        [say.load, count(card.max_load_trips), "max_load_trips"], [say.only, count(card.only_served_trips), "only_served_trips"],
        [say.alone, count(card.only_presence), "only_presence"],
      ]), route.loads.length ? loads(route) : "");
    } else if (state.hex !== null) {
      const [title, ...rows] = hexLines(state.hex);
      box.replaceChildren(element("h4", { text: title[0] }), pairs(rows));
    }
  }
  function choose(what) {
    state.route = what.route === undefined ? null : what.route;
    state.hex = what.hex === undefined ? null : what.hex;
    if (state.route !== null && !state.shown.has(state.route)) show(state.route, true);
    routes.forEach((route, k) => {
      const faint = state.route !== null && state.route !== k;
      route.lines[0].setStyle({ opacity: faint ? 0.4 : 1 });
      route.lines[1].setStyle({ opacity: faint ? 0.3 : 1, weight: state.route === k ? 5 : 3 });
      if (state.route === k) route.lines.forEach((line) => line.bringToFront());
    });
    document.querySelectorAll("[data-show]").forEach((button) => button.setAttribute("aria-pressed", String(Number(button.dataset.show) === state.route)));
    paint(); place(); tell();
  }

  // ---------------------------------------------------------------- controls
  function show(k, on) {
    if (on) { state.shown.add(k); routes[k].group.addTo(map); } else { state.shown.delete(k); routes[k].group.remove(); }
    document.getElementById("route-" + k).checked = on;
    place();
  }
  function dress(button, k) {
    const route = data.routes[k];
    button.style.background = route.colour;
    if (route.dashes) button.classList.add(route.dashes.startsWith("9") ? "d1" : "d2");
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      choose(state.route === k ? {} : { route: k });
      if (button.closest("table") && state.route === k) document.getElementById("map").scrollIntoView({ block: "center" });
    });
  }
  data.routes.forEach((route, k) => {
    const box = element("input", { type: "checkbox", id: "route-" + k, checked: true, "aria-label": route.name });
    box.addEventListener("change", () => show(k, box.checked));
    const button = element("button", { type: "button", className: "badge", text: route.name, title: route.name });
    button.dataset.show = k;
    document.getElementById("route-list").append(element("li", {}, box, button));
  });
  document.querySelectorAll("[data-show]").forEach((button) => dress(button, Number(button.dataset.show)));
  document.getElementById("all").addEventListener("click", () => data.routes.forEach((_, k) => show(k, true)));
  document.getElementById("none").addEventListener("click", () => data.routes.forEach((_, k) => show(k, false)));
  document.querySelectorAll("input[name=layer]").forEach((input) => input.addEventListener("change", () => {
    state.layer = input.value;
    setHour(); paint(); tell();
  }));
  const slider = document.getElementById("hour");
  function setHour() { // what two plans reach and move is known for the whole night
    slider.disabled = state.layer === "difference" || state.layer === "net";
    state.part = slider.disabled ? 0 : Number(slider.value);
    document.getElementById("hour-text").textContent = partName();
    slider.setAttribute("aria-valuetext", partName());
  }
  slider.addEventListener("input", () => { setHour(); paint(); tell(); });
  const box = document.getElementById("reference");
  if (box) box.addEventListener("change", () => (box.checked ? old.addTo(map) : old.remove()));

  // ---------------------------------------------------------------- begin, resize, print
  whole();
  map.on("zoomend", place);
  map.on("moveend", spread);
  data.routes.forEach((_, k) => routes[k].group.addTo(map));
  place(); setHour(); paint();
  let moved = false, before = null, closed = [];
  map.getContainer().addEventListener("pointerdown", () => { moved = true; });
  map.getContainer().addEventListener("wheel", () => { moved = true; }, { passive: true });
  map.getContainer().addEventListener("keydown", () => { moved = true; });
  function refit() {
    map.invalidateSize({ animate: false, pan: false });
    whole();
    place();
  }
  window.addEventListener("resize", () => {
    if (before) return;
    if (moved) map.invalidateSize({ animate: false }); else refit();
  });
  window.addEventListener("beforeprint", () => {
    if (before) return;
    before = [map.getCenter(), map.getZoom()];
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((part) => { part.open = true; });
    const frame = map.getContainer();
    frame.style.width = "186mm"; frame.style.height = "96mm"; frame.style.minHeight = "0";
    refit();
  });
  window.addEventListener("afterprint", () => {
    if (!before) return;
    closed.forEach((part) => { part.open = false; });
    const frame = map.getContainer();
    frame.style.width = ""; frame.style.height = ""; frame.style.minHeight = "";
    map.invalidateSize({ animate: false, pan: false });
    map.setView(before[0], before[1], { animate: false });
    before = null;
    if (!moved) refit(); else place();
  });
})();
