"use strict";
// What is shown is replaced in its place: no flicker, and the scroll stays where it is.
const LEAST = 3, MOST = 60, PATIENCE = 20;
const live = document.getElementById("live"), stale = document.getElementById("stale");
let shown = live.innerHTML;

function show(told) {
  if (told === shown) return;
  const left = [...live.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  live.innerHTML = told;
  shown = told;
  live.querySelectorAll(".scroll").forEach((each, place) => { each.scrollLeft = left[place] ?? 0; });
}

// Of a server.
async function ask() {
  try {
    const answer = await fetch(location.pathname + "?news", { cache: "no-store" });
    show(await answer.text());
    document.querySelectorAll("#now").forEach((now) => { now.textContent = new Date().toLocaleTimeString(); });
    stale.hidden = true;
  } catch {
    stale.hidden = false;
  }
  setTimeout(ask, LEAST * 1000);
}

// From the disk a page may not read a file, but it may have itself in a frame, which tells it what it holds.
function read() {
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.src = `${location.href.split(/[?#]/)[0]}?${Date.now()}`;
  const reload = setTimeout(() => location.reload(), PATIENCE * 1000);
  addEventListener("message", function heard(message) {
    if (message.source !== frame.contentWindow) return;
    clearTimeout(reload);
    removeEventListener("message", heard);
    frame.remove();
    show(message.data);
    setTimeout(read, wait() * 1000);
  });
  document.body.append(frame);
}

// The longer ago it was drawn, the longer it may take until it is drawn again.
function wait() {
  const now = document.getElementById("now"), drawn = new Date(now.dateTime), ago = (Date.now() - drawn) / 1000;
  const today = drawn.toDateString() === new Date().toDateString();
  now.textContent = today ? drawn.toLocaleTimeString() : drawn.toLocaleString();
  return Math.min(MOST, Math.max(LEAST, ago / 20));
}

if (!("embedded" in live.dataset)) ask();
else if (window.parent !== window) window.parent.postMessage(live.innerHTML, "*");
else setTimeout(read, wait() * 1000);
