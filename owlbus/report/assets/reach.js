/* The map of reach: hexes by time or by last bus, the place, and what a hex tells. */
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const say = data.reach, hexes = data.hexes;
  const minutes = (value) => (value === null ? say.none : say.min.replace("{0}", value));
  const view = window.owlbusMap(data, {
    frame: "map", onHex: choose, onRoute: () => {}, layerTitle: () => data.titles[view.state.part],
    hexLines: (k) => [
      [view.fill(data.words.hex, hexes.labels[k])], [say.median, minutes(hexes.minutes[0][k])],
      [say.bad_luck, minutes(hexes.minutes[1][k])], [say.last, hexes.last[k] || say.none],
    ],
  });
  const { map, state, element } = view;
  state.shown = new Set(data.routes.keys());

  function choose(k) {
    state.hex = k;
    const [title, ...rows] = view.hexLines(k);
    document.getElementById("details").replaceChildren(element("h4", { text: title[0] }), element("dl", {},
      ...rows.map(([name, value]) => element("div", {}, element("dt", { text: name }), element("dd", { text: value })))));
    paint();
  }
  function paint() {
    data.patterns.more = hexes.texts[state.part][hexes.texts[state.part].length - 1];
    view.paint();
  }
  document.querySelectorAll("input[name=layer]").forEach((input) => input.addEventListener("change", () => {
    state.part = Number(input.value);
    paint();
  }));
  const box = document.getElementById("routes");
  box.addEventListener("change", () => { data.routes.forEach((_, k) => view.show(k, box.checked)); view.place(); });

  const [lat, lon] = data.place.map((value) => value / data.scale);
  view.whole();
  view.setRoutes(data.routes.map((route) => Object.assign({ points: route.lines.map(view.points), halts: view.points(route.stops) }, route)));
  map.createPane("place").style.zIndex = 640; // above the names of routes and stops
  L.circleMarker([lat, lon], { pane: "place", radius: 9, color: view.palette.ink, weight: 4, fillColor: "white", fillOpacity: 1 })
    .bindTooltip(element("span", { text: say.place })).addTo(map);
  map.on("zoomend", view.place);
  map.on("moveend", view.spread);
  view.place(); paint();
  window.addEventListener("resize", () => { map.invalidateSize({ animate: false, pan: false }); view.whole(); view.place(); });
})();
