// What a reader gains with a script: filters, sorting, and details that open when something inside is asked for.
// Everything is on the page without it. Nothing is fetched, stored or written as markup.
"use strict";

// --- Rulings: by verdict and by text -------------------------------------------------------------------
for (const section of document.querySelectorAll("[data-filter]")) {
  const items = [...section.querySelectorAll("[data-state]")];
  const texts = items.map((item) => item.textContent.toLowerCase());
  const toggles = [...section.querySelectorAll(".toggle")];
  const find = section.querySelector("input[type=search]");
  const count = section.querySelector(".count");
  const noun = count.dataset.noun || "rulings";
  const show = () => {
    const off = new Set(toggles.filter((t) => t.ariaPressed === "false").map((t) => t.value));
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    items.forEach((item, n) => {
      item.hidden = off.has(item.dataset.state) || !words.every((word) => texts[n].includes(word));
      shown += item.hidden ? 0 : 1;
    });
    count.textContent = shown === items.length ? `${shown} ${noun}` : `${shown} of ${items.length} ${noun}`;
    section.querySelector(".none").hidden = shown > 0;
  };
  for (const toggle of toggles) {
    toggle.addEventListener("click", () => {
      toggle.ariaPressed = toggle.ariaPressed === "true" ? "false" : "true";
      show();
    });
  }
  find.addEventListener("input", show);
  find.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { find.value = ""; show(); }
  });
  section.querySelector(".controls").hidden = false;
  section.addEventListener("reveal", () => {
    for (const toggle of toggles) toggle.ariaPressed = "true";
    find.value = "";
    show();
  });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const find = document.querySelector("input[type=search]");
    if (find) { event.preventDefault(); find.focus(); }
  }
});

// --- A link to something that is folded or filtered away shows it --------------------------------------
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const filtered = target.closest("[data-state][hidden]");
  if (filtered) filtered.closest("[data-filter]").dispatchEvent(new Event("reveal"));
  for (let node = target; node; node = node.parentElement) {
    if (node instanceof HTMLDetailsElement) node.open = true;
  }
  target.scrollIntoView({ block: "center" });
};
window.addEventListener("hashchange", reveal);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  // The same link again changes no hash: the target is shown all the same.
  if (link && link.getAttribute("href") === location.hash) reveal();
});
if (location.hash) reveal();

// --- Paper shows what is folded --------------------------------------------------------------------------
let closed = [];
window.addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const details of closed) details.open = true;
});
window.addEventListener("afterprint", () => {
  for (const details of closed) details.open = false;
});

// --- Tables: a click on a title sorts by that column ----------------------------------------------------
for (const table of document.querySelectorAll("table[data-sort]")) {
  const body = table.tBodies[0];
  const titles = [...table.tHead.rows[0].cells];
  const key = (row, n) => row.cells[n].dataset.key ?? row.cells[n].textContent;
  titles.forEach((title, n) => {
    const button = title.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const down = title.ariaSort === "ascending";
      for (const other of titles) other.ariaSort = other === title ? (down ? "descending" : "ascending") : null;
      const rows = [...body.rows].sort((a, b) => key(a, n).localeCompare(key(b, n), "en", { numeric: true }));
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}
