"use strict";
// What is shown is replaced in its place: no flicker, and the scroll stays where it is.
const SECONDS = 3, live = document.getElementById("live"), stale = document.getElementById("stale");
async function news() {
  try {
    const answer = await fetch(location.pathname + "?news", { cache: "no-store" });
    const told = await answer.text();
    if (told !== live.dataset.told) { live.innerHTML = told; live.dataset.told = told; }
    stale.hidden = true;
  } catch {
    stale.hidden = false;
  }
  setTimeout(news, SECONDS * 1000);
}
news();
