// The panel: numbers, broken limits, and tabs with routes, districts and history.
import { store, on, emit, say, element, button, byId, routeOf, canEdit } from "./store.js";
import * as sight from "./view.js";

const TABS = ["routes", "place", "districts", "ideas", "comments", "history"];

export function listen() {
  TABS.forEach((name) => {
    const tab = byId("tab-" + name);
    tab.addEventListener("click", () => openTab(name));
    tab.addEventListener("keydown", (event) => {
      const at = TABS.indexOf(name), to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = TABS[(to + TABS.length) % TABS.length];
      openTab(next);
      byId("tab-" + next).focus();
    });
  });
  on("state", (state) => { numbers(state.numbers, state.limits, state.routes); history(state); districts(state); });
  on("numbers", numbers);
}
export function openTab(name) {
  TABS.forEach((one) => {
    const chosen = one === name;
    byId("tab-" + one).setAttribute("aria-selected", String(chosen));
    byId("tab-" + one).tabIndex = chosen ? 0 : -1;
    byId("pane-" + one).hidden = !chosen;
  });
  emit("tab", name);
}
export const openedTab = () => TABS.find((name) => !byId("pane-" + name).hidden);

// ---------------------------------------------------------------- numbers
const rows = new Map();
function put(node, text) { if (node.textContent !== text) node.textContent = text; }
function numbers(list, broken, routes = []) {
  const body = byId("numbers").tBodies[0], live = list !== store.state.numbers;
  byId("numbers").classList.toggle("live", live);
  list.forEach((row) => {
    if (!rows.has(row.key)) {
      const cells = ["now", "since"].map((name) => element("td", { className: name }));
      const label = element("span"), against = element("span", { className: "against" });
      const made = element("tr", { data: { key: row.key } }, element("th", { scope: "row" }, label, against), ...cells);
      rows.set(row.key, { made, label, against, cells });
      body.append(made);
    }
    const { label, against, cells, made } = rows.get(row.key);
    made.hidden = false;
    put(label, say("number." + row.key));
    label.title = row.label;
    put(against, row.against_text || "");
    put(cells[0], row.text);
    put(cells[1], row.change_text || "");
    cells[1].classList.toggle("plainly", !/[1-9]/.test(row.change_text || ""));
  });
  rows.forEach(({ made }, key) => { if (!list.some((row) => row.key === key)) made.hidden = true; });
  limits(broken || []);
  sight.showLimits(broken || [], routes);
}
function limits(broken) {
  const box = byId("limits"), list = box.querySelector("ul"), key = JSON.stringify(broken);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  box.hidden = !broken.length;
  list.replaceChildren(...broken.map((one) => element("li", {}, one.route && routeOf(one.route)
    ? button(one.text, () => showBroken(one), { className: "link" }) : element("span", { text: one.text }))));
  emit("broken", broken);
}
function showBroken(one) {
  const route = routeOf(one.route), line = sight.view.points(route.line);
  const from = one.from === null || one.from === undefined ? 0 : one.from, to = one.to === null || one.to === undefined ? route.at.length - 1 : one.to;
  sight.showSpotlight(from === to ? [line[route.at[from]]] : line.slice(route.at[from], route.at[to] + 1));
}

// ---------------------------------------------------------------- districts, the worst served first
function districts(state) {
  const told = [...(state.districts || [])].sort((one, other) => (one.share === null) - (other.share === null) || one.share - other.share);
  const pane = byId("pane-districts");
  if (!told.length) { pane.replaceChildren(element("p", { className: "note", text: say("noDistricts") })); return; }
  const line = (one) => element("tr", {}, element("th", { scope: "row" }, button(one.name, () => showDistrict(one.name), { className: "link" })),
    element("td", {}, bar(one.share)), element("td", { text: percentOf(one) }), element("td", { text: changeOf(one) }));
  pane.replaceChildren(element("p", { className: "note", text: say("districtsNote") }), element("table", { className: "plain" },
    element("thead", {}, element("tr", {}, element("th", { scope: "col", text: say("district") }), element("td", {}), element("th", { scope: "col", text: say("near") }), element("th", { scope: "col", text: say("since") }))),
    element("tbody", {}, ...told.map(line))));
}
function bar(share) {
  const made = element("span", { className: "bar", "aria-hidden": "true" }, element("span", {}));
  made.firstChild.style.width = 100 * (share || 0) + "%";
  return made;
}
const percentOf = (one) => one.text || (one.share === null ? "–" : say("percent", (100 * one.share).toFixed(1)));
function changeOf(one) {
  if (one.change_text) return one.change_text;
  if (one.change === null || one.change === undefined) return "–";
  const points = one.change;
  return Math.abs(points) < 0.05 ? "0.0" : (points > 0 ? "▲ +" : "▼ −") + Math.abs(points).toFixed(1);
}
function showDistrict(name) {
  const data = sight.view.data.hexes, k = data.districts.indexOf(name);
  if (k < 0) return;
  sight.showOutline(data.district.flatMap((district, hex) => (district === k ? [hex] : [])));
}

// ---------------------------------------------------------------- history, the latest first
function history(state) {
  const lines = [...state.history].reverse();
  byId("pane-history").replaceChildren(lines.length
    ? element("ol", { className: "history", reversed: true, start: lines.length + (state.history_before || 0) }, ...lines.map((line) => element("li", { className: line.undone ? "undone" : "" },
      element("span", { className: "what", text: line.text }), line.undone ? element("span", { className: "tag", text: say("isUndone") }) : "",
      element("span", { className: "effect", text: line.effect || "" }), line.time ? element("time", { text: clock(line.time) }) : "")), state.history_before ? element("li", { className: "note", text: say("earlier", state.history_before) }) : "")
    : element("p", { className: "note", text: say("noHistory") }));
  byId("undo").disabled = !state.can_undo || !canEdit();
  byId("redo").disabled = !state.can_redo || !canEdit();
}
function clock(time) {
  const at = new Date(typeof time === "number" ? time * 1000 : time);
  return Number.isNaN(at.getTime()) ? String(time) : at.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
}
