// Keys that hold on the whole page.
import { store, emit, byId, canEdit } from "./store.js";
import { undo, redo } from "./talk.js";
import { closeMenu, leaveDrag, isDragging, back } from "./drag.js";
import * as drawing from "./draw.js";
import { cancel } from "./stops.js";

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (byId("dialog").open) return;
    const writes = event.target.closest("input[type=text], input[type=search], textarea, [contenteditable]");
    const control = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
    if (control && key === "s") { event.preventDefault(); if (canEdit()) emit("save"); return; }
    if (control && !writes && canEdit()) {
      if (key === "z" && !event.shiftKey) { event.preventDefault(); undo(); } else if (key === "y" || (key === "z" && event.shiftKey)) { event.preventDefault(); redo(); }
      return;
    }
    if (event.key === "Escape") escape();
    if (writes || control || event.altKey) return;
    if (event.key === "?") emit("manual");
    if (store.mode === "draw" && !event.target.closest("button, select, a, [role=option]")) {
      if (event.key === "Enter") drawing.finish();
      if (event.key === "Backspace") drawing.undoStop();
    }
  });
  byId("undo").addEventListener("click", undo);
  byId("redo").addEventListener("click", redo);
}
function escape() { // leaves the innermost of what is open
  if (isDragging()) { leaveDrag(); return; }
  if (closeMenu()) { back(); return; }
  if (cancel()) return;
  if (drawing.leave()) return;
  emit("escape");
}
