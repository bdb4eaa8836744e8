(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const say = data.words, palette = data.colours;
  const number = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const count = (value) => (value === null || value === undefined ? "–" : value === 0 && data.base > 0 ? "<" + data.base : number.format(value));
  const differenceName = () => document.querySelector("input[value=difference] + span").textContent;
  const view = window.owlbusMap(data, {
    frame: "map", onHex: (k) => choose({ hex: k }), onRoute: (k) => choose({ route: k }),
    layerTitle: (layer) => ({ net: say.net, difference: layer === "difference" && differenceName() })[layer],
  });
  const { map, state, element, drawn, hexLines, place, whole, paint } = view;
  state.layer = document.querySelector("input[name=layer]:checked").value;
  state.shown = new Set(data.routes.keys());

  // ---------------------------------------------------------------- details
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
    view.emphasise();
    document.querySelectorAll("[data-show]").forEach((button) => button.setAttribute("aria-pressed", String(Number(button.dataset.show) === state.route)));
    paint(); place(); tell();
  }

  // ---------------------------------------------------------------- controls
  function show(k, on) {
    view.show(k, on);
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
    document.getElementById("hour-text").textContent = view.partName();
    slider.setAttribute("aria-valuetext", view.partName());
  }
  slider.addEventListener("input", () => { setHour(); paint(); tell(); });
  const box = document.getElementById("reference");
  if (box) box.addEventListener("change", () => (box.checked ? view.reference.addTo(map) : view.reference.remove()));

  // ---------------------------------------------------------------- begin, resize, print
  whole();
  view.setRoutes(data.routes.map((route) => Object.assign({ points: route.lines.map(view.points), halts: view.points(route.stops) }, route)));
  map.on("zoomend", place);
  map.on("moveend", view.spread);
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
