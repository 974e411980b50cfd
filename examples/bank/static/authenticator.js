// Counts down, and fetches the next code when its time has come.
"use strict";

const panel = document.querySelector(".authenticator");
const part = (name) => panel.querySelector(`[data-${name}]`);
const LONGEST = 30;
let ends;

function endIn(seconds) {
  ends = performance.now() + seconds * 1000;
}

function tick() {
  const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
  part("left").textContent = left;
  part("bar").style.transform = `scaleX(${Math.min(1, left / LONGEST)})`;
  panel.classList.toggle("is-ending", left <= 5);
  if (left === 0) refresh();
}

function show(shown) {
  part("code").textContent = shown.code;
  panel.classList.toggle("is-used", shown.used);
  part("count").textContent = shown.backup_codes.length;
  part("backup-codes").replaceChildren(
    ...shown.backup_codes.map((code) => {
      const item = document.createElement("li");
      item.textContent = code;
      return item;
    }),
  );
  endIn(shown.seconds);
}

async function refresh() {
  endIn(1); // asked again in a second if no answer comes
  try {
    const response = await fetch(panel.dataset.url);
    if (response.ok) show(await response.json());
  } catch {
    // The demo has ended, or is being restarted.
  }
  tick();
}

async function copy() {
  await navigator.clipboard.writeText(part("code").textContent.replace(" ", ""));
  part("copy").textContent = "Copied";
  setTimeout(() => (part("copy").textContent = "Copy the code"), 2000);
}

part("copy").hidden = !navigator.clipboard;
part("copy").addEventListener("click", copy);
// Tabs that were asleep, and pages that come back from history.
addEventListener("pageshow", (event) => event.persisted && refresh());
document.addEventListener("visibilitychange", () => document.hidden || refresh());
endIn(Number(panel.dataset.seconds));
setInterval(tick, 250);
tick();
