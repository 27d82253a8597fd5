"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Epochs or seconds: both forms are in the page, and the style shows one.
for (const choice of all("[data-choice]"))
  choice.addEventListener("change", () => { document.body.dataset[choice.dataset.choice] = choice.value; });

// Sorting: once up, once down, then the order of the study again. What was not measured goes last.
for (const table of all(".runs-and-floors")) {
  const body = table.tBodies[0], original = [...body.rows];
  const key = (row, place) => {
    const cell = row.cells[place];
    return cell.classList.contains("text") ? cell.textContent.trim() : cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  for (const head of all("thead th", table)) head.querySelector("button").addEventListener("click", () => {
    const next = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")];
    for (const other of all("th[aria-sort]", table)) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", next);
    const place = head.cellIndex, way = next === "descending" ? -1 : 1;
    const compare = (a, b) => {
      const [x, y] = [key(a, place), key(b, place)];
      if (x === null || y === null) return (x === null) - (y === null);
      return way * (typeof x === "string" ? x.localeCompare(y, "en") : x - y);
    };
    table.classList.toggle("sorted", next !== "none");
    body.append(...(next === "none" ? original : [...original].sort(compare)));
  });
}

// A link to something folded, or to what has something folded in it, opens it.
const unfold = () => {
  const target = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  for (const details of [target?.closest("details"), target?.querySelector(":scope > details")]) if (details) details.open = true;
};
addEventListener("hashchange", unfold);
unfold();

// Choosing runs: chosen ones stay, all others fade, in the table as in every figure.
const chosen = new Set();
const parts = [];
for (const row of all("tr[data-run]")) parts.push([row.dataset.run, row]);
for (const panel of all(".panel")) parts.push([panel.dataset.experiment, panel]);
for (const svg of all(".several svg")) {
  for (const group of all("g[class^=run-]", svg)) parts.push([/\d+/.exec(group.getAttribute("class"))[0], group]);
  for (const mark of all("path[aria-label^='#']", svg)) parts.push([/^#(\d+)/.exec(mark.getAttribute("aria-label"))[1], mark]);
  for (const text of all("text", svg)) {
    const found = /^#(\d+)/.exec(text.textContent);
    if (found) parts.push([found[1], text]);
  }
}
const paint = () => {
  for (const [run, part] of parts) {
    part.classList.toggle("dim", chosen.size > 0 && !chosen.has(run));
    part.classList.toggle("chosen", chosen.has(run));
  }
  for (const chip of all(".chips [data-run]")) chip.setAttribute("aria-pressed", chosen.has(chip.dataset.run));
};
const choose = (run) => { if (!chosen.delete(run)) chosen.add(run); paint(); };
for (const chip of all(".chips [data-run]")) chip.addEventListener("click", () => choose(chip.dataset.run));
document.getElementById("all-runs")?.addEventListener("click", () => { chosen.clear(); paint(); });
for (const [run, part] of parts) part.addEventListener("click", (event) => { if (!event.target.closest("a, button")) choose(run); });

// Values: the point nearest to the pointer, or the next one with the arrow keys.
const tip = document.getElementById("tip");
let near = null;
const tell = (mark) => {
  near?.classList.remove("near");
  near = mark;
  tip.hidden = !mark;
  if (!mark) return;
  mark.classList.add("near");
  tip.textContent = mark.getAttribute("aria-label");
  const box = mark.getBoundingClientRect();
  const left = Math.min(Math.max(8, box.left + 12), innerWidth - tip.offsetWidth - 8);
  tip.style.left = `${left}px`;
  tip.style.top = `${box.top - tip.offsetHeight - 8 < 0 ? box.bottom + 8 : box.top - tip.offsetHeight - 8}px`;
};
const marksOf = (drawing) => all("path[aria-label]", drawing).filter((mark) => mark.getClientRects().length);
for (const drawing of all(".drawing")) {
  drawing.addEventListener("pointermove", (event) => {
    let best = null, least = 40;
    for (const mark of marksOf(drawing)) {
      const box = mark.getBoundingClientRect();
      const away = Math.hypot(box.left + box.width / 2 - event.clientX, box.top + box.height / 2 - event.clientY);
      if (away < least) [best, least] = [mark, away];
    }
    tell(best);
  });
  drawing.addEventListener("pointerleave", () => tell(null));
  drawing.addEventListener("blur", () => tell(null));
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const marks = marksOf(drawing), at = marks.indexOf(near);
    tell(marks[at < 0 ? (step > 0 ? 0 : marks.length - 1) : (at + step + marks.length) % marks.length] ?? null);
    event.preventDefault();
  });
}

// Enlarging: the drawing alone, as large as wanted; it is moved by scrolling.
const dialog = document.getElementById("enlarged"), view = dialog.querySelector(".view");
let zoom = 1;
const enlarge = (factor) => { zoom = Math.min(6, Math.max(1, factor)); view.style.setProperty("--zoom", zoom); };
for (const button of all(".enlarge")) button.addEventListener("click", () => {
  const figure = button.closest("figure");
  const svg = all(".drawing svg", figure).find((drawn) => drawn.getClientRects().length);
  const copy = svg.cloneNode(true);
  for (const marked of all("[id]", copy)) marked.id += "-large";
  for (const clipped of all("[clip-path]", copy)) clipped.setAttribute("clip-path", clipped.getAttribute("clip-path").replace(")", "-large)"));
  view.replaceChildren(copy);
  dialog.querySelector("p").textContent = figure.dataset.title;
  enlarge(1);
  dialog.showModal();
});
document.getElementById("larger").addEventListener("click", () => enlarge(zoom * 1.5));
document.getElementById("smaller").addEventListener("click", () => enlarge(zoom / 1.5));
document.getElementById("close").addEventListener("click", () => dialog.close());
addEventListener("beforeprint", () => { for (const details of all("details")) details.open = true; });
