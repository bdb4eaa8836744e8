"use strict";
(() => { // tables wider than the page say so
  const tables = [...document.querySelectorAll(".scroll")];
  const hint = () => tables.forEach((one) => one.classList.toggle("cut", one.scrollWidth > one.clientWidth + 1));
  tables.forEach((one) => { one.dataset.hint = document.body.dataset.scroll; });
  document.querySelectorAll("details").forEach((part) => part.addEventListener("toggle", hint));
  window.addEventListener("resize", hint);
  hint();
  document.documentElement.dataset.ready = "yes";
})();
