"use strict";
// What is shown is replaced in its place: no flicker, and the scroll stays where it is.
const SECONDS = 3, live = document.getElementById("live"), stale = document.getElementById("stale");
let shown = "";
async function news() {
  try {
    const answer = await fetch(location.pathname + "?news", { cache: "no-store" });
    const told = await answer.text();
    if (told !== shown) {
      const left = [...live.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
      live.innerHTML = shown = told;
      live.querySelectorAll(".scroll").forEach((each, place) => { each.scrollLeft = left[place] ?? 0; });
    }
    const now = document.getElementById("now");
    if (now) now.textContent = new Date().toLocaleTimeString();
    stale.hidden = true;
  } catch {
    stale.hidden = false;
  }
  setTimeout(news, SECONDS * 1000);
}
news();
