// A string-line diagram: one line for each bus, time to the right, the stops of the route downwards.
import { say, element } from "./store.js";

const SVG = "http://www.w3.org/2000/svg", WIDE = 860, ROW = 15, LEFT = 172, RIGHT = 24, TOP = 24;

function drawn(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...children);
  return made;
}
const clock = (seconds) => String(Math.floor(seconds / 3600) % 24).padStart(2, "0") + ":" + String(Math.floor(seconds / 60) % 60).padStart(2, "0");

export function stringLine(told, colour) { // {stops: [{name, at_m}], runs: [{back, times: [seconds of the night]}]}
  const stops = told.stops, times = told.runs.flatMap((run) => run.times);
  if (!times.length) return element("p", { className: "note", text: say("noStringLine") });
  const low = Math.floor(Math.min(...times) / 3600) * 3600, high = Math.ceil(Math.max(...times) / 3600) * 3600;
  const length = stops[stops.length - 1].at_m || 1, deep = Math.max(260, Math.min(stops.length * ROW, 620));
  const x = (time) => LEFT + (WIDE - LEFT - RIGHT) * (time - low) / (high - low || 1), y = (metres) => TOP + deep * metres / length;
  const picture = drawn("svg", { class: "strings", viewBox: "0 0 " + WIDE + " " + (deep + TOP + 10), role: "img", "aria-label": say("stringLine") });
  let last = -Infinity;
  stops.forEach((stop, k) => {
    const at = y(stop.at_m);
    picture.append(drawn("line", { class: "rule", x1: LEFT, x2: WIDE - RIGHT, y1: at, y2: at }));
    if (at - last < 12 && k < stops.length - 1) return;
    if (k < stops.length - 1 && y(length) - at < 12) return;
    last = at;
    picture.append(drawn("text", { x: LEFT - 6, y: at + 4, "text-anchor": "end" }, stop.name.length > 24 ? stop.name.slice(0, 23) + "…" : stop.name));
  });
  for (let time = low; time <= high; time += 3600) {
    picture.append(drawn("line", { class: "hourly", x1: x(time), x2: x(time), y1: TOP, y2: TOP + deep }), drawn("text", { x: x(time), y: 14, "text-anchor": "middle" }, clock(time)));
  }
  told.runs.forEach((run) => {
    const order = run.back ? [...stops].reverse() : stops;
    picture.append(drawn("polyline", { class: run.back ? "back" : "there", fill: "none", stroke: colour, "stroke-width": 1.6,
      points: run.times.map((time, k) => x(time).toFixed(1) + "," + y(order[k].at_m).toFixed(1)).join(" ") }));
  });
  return element("figure", {}, element("figcaption", { className: "note", text: [say("stringLine"), say("stringThere"), say("stringBack")].join(" · ") }), picture);
}
