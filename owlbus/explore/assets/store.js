// What every part of the page knows: the plan's state, the words, and who listens to changes.
export const store = {
  words: {}, about: {}, state: null, map: null, network: { stops: [], names: [] },
  chosen: null, // id of the chosen route
  position: null, // of the chosen stop in it
  hidden: new Set(), // ids of routes that are not drawn
  busy: false,
};

const listeners = new Map();
export function on(name, listener) {
  if (!listeners.has(name)) listeners.set(name, []);
  listeners.get(name).push(listener);
}
export function emit(name, ...values) {
  (listeners.get(name) || []).forEach((listener) => listener(...values));
}

export function say(key, ...values) {
  const text = store.words[key];
  if (text === undefined) throw new Error("no words for " + key);
  return values.reduce((out, value, k) => out.replaceAll("{" + k + "}", () => String(value)), text);
}
export const routeOf = (id) => store.state.routes.find((route) => route.id === id);
export const stopName = (stop) => store.network.names[stop] || say("unnamed", stop);
export const canEdit = () => !store.about.read_only && !store.state.read_only && !narrow.matches;
export const narrow = window.matchMedia("(max-width: 900px)");

// ---------------------------------------------------------------- elements
export const byId = (id) => document.getElementById(id);
export function element(tag, settings, ...children) {
  const made = document.createElement(tag);
  Object.entries(settings || {}).forEach(([name, value]) => {
    if (name === "text") made.textContent = value;
    else if (name === "on") Object.entries(value).forEach(([event, listener]) => made.addEventListener(event, listener));
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  });
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}
export function button(text, listener, more) {
  return element("button", Object.assign({ type: "button", text, on: { click: listener } }, more));
}

// A colour of the palette by its name.
export const tint = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

// What sighted readers see below the map, and screen readers hear.
export function tell(text) {
  byId("status").textContent = text;
}
let speaking = 0;
export function speak(text) { // of two texts at once only the later one is read
  window.clearTimeout(speaking);
  speaking = window.setTimeout(() => { byId("spoken").textContent = text; }, 250);
}
