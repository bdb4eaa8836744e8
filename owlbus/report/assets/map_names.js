/* Names on the map: badges and ends of routes, districts, places and stops, none over another. */
window.owlbusNames = function (view) {
  "use strict";
  const { map, data, state, element } = view, scale = data.scale;
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
    const middle = map.latLngToLayerPoint(view.hexGroup.getBounds().getCenter()), below = new Map();
    shown.forEach((k) => view.routes()[k].ends.forEach((marker, end) => {
      const icon = marker.getElement();
      if (!icon) return;
      const at = map.latLngToLayerPoint(marker.getLatLng()), away = Math.atan2(at.y - middle.y, at.x - middle.x);
      const size = [icon.firstChild.offsetWidth / 2 + 1, icon.firstChild.offsetHeight / 2 + 1];
      const spots = [1, 1.9, 2.8].flatMap((ring) => TURNS.map((turn) => [
        at.x + ring * (size[0] * 0.35 + 12) * Math.cos(away + turn), at.y + ring * (size[1] * 0.35 + 12) * Math.sin(away + turn)]));
      const [x, y] = spots.find(([left, top]) => isFree(left, top, size)) || spots[0];
      board.taken.push([x, y, size[0], size[1]], [at.x, at.y, 4, 4]);
      icon.style.marginLeft = x - at.x - 22 + "px"; icon.style.marginTop = y - at.y - 10 + "px";
      const names = view.routes()[k].info.short, text = cut(end ? names[names.length - 1] : names[0]);
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
    const size = half(view.routes()[k].info.name, "badge"), apart = Math.round(Math.max(240, 0.42 * map.getSize().x) / CELL_PX), done = [];
    for (let at = Math.round(apart / 2.4); at < line.length - apart / 2.4; at += 4) {
      const point = line[at];
      if (done.every((other) => at - other >= apart) && isFree(point.x, point.y, size, frame)) {
        done.push(at);
        write(view.routes()[k].info.name, "badge", point.x, point.y, size, { colour: view.routes()[k].info.colour });
      }
    }
  }
  function nameStops(shown, frame) { // close to the ground
    const seen = new Set();
    shown.forEach((k) => view.routes()[k].halts.forEach((halt, s) => {
      const text = cut(view.routes()[k].info.short[s]), at = map.latLngToLayerPoint(halt);
      if (seen.has(text) || !frame.contains(at)) return;
      seen.add(text);
      const size = half(text, "stop"), spot = best(beside(at, size, 5), size, 6, frame);
      if (spot) write(text, "stop", spot[0], spot[1], size);
    }));
  }
  function spread() {
    const shown = [...state.shown].sort((one, other) => one - other), zoom = map.getZoom() - view.home;
    const corner = map.containerPointToLayerPoint([0, 0]), frame = L.bounds(corner.add([2, 2]), corner.add(map.getSize()).subtract([2, 2]));
    const edge = map.getContainer().getBoundingClientRect();
    board.taken = [...map.getContainer().querySelectorAll(".leaflet-control")].map((control) => { // no name under a control
      const box = control.getBoundingClientRect();
      return [corner.x + box.left + box.width / 2 - edge.left, corner.y + box.top + box.height / 2 - edge.top, box.width / 2 + 4, box.height / 2 + 4];
    });
    board.taken.push(...view.taken()); // middle and half the size, in pixels of the layer
    board.lines = new Map();
    map.getPane("labels").replaceChildren();
    const lines = shown.map((k) => trace(view.routes()[k].lines[0].getLatLngs().map((at) => map.latLngToLayerPoint(at))));
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
  return { spread };
};
