// One dialog for everything that takes a page of its own, and plain tables.
import { element, byId } from "./store.js";

export function openDialog(title, content, wide = false) {
  const box = byId("dialog"), body = byId("dialog-body");
  byId("dialog-title").textContent = title;
  body.replaceChildren(...[content].flat());
  box.classList.toggle("wide", wide);
  if (!box.open) box.showModal();
  return body;
}
export function closeDialog() {
  if (byId("dialog").open) byId("dialog").close();
}
export function table(head, rows) {
  return element("div", { className: "scroll", tabIndex: 0, role: "group" }, element("table", { className: "plain" },
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col", text })))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((text, k) => element(k ? "td" : "th", k ? { text } : { scope: "row", text })))))));
}
