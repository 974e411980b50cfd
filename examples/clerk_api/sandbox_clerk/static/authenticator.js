// The phone of whoever is signed in: counts down, and fetches the next code in time.
"use strict";

{
  const panel = document.querySelector("[data-authenticator]");
  const part = (name) => panel.querySelector(`[data-${name}]`);
  const home = panel.parentElement;
  const LONGEST = 30;
  let ends = 0;
  let whose = null;

  async function refresh() {
    ends = performance.now() + 1000; // asked again in a second if no answer comes
    const response = await fetch("/sandbox-clerk/code").catch(() => null);
    if (!response?.ok) return;
    const { code, used, seconds } = await response.json();
    part("code").textContent = code;
    part("used").hidden = !used;
    ends = performance.now() + seconds * 1000;
    panel.hidden = !Clerk.user;
  }

  function tick() {
    if (!Clerk.user) return;
    const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
    part("left").textContent = left;
    part("bar").style.transform = `scaleX(${Math.min(1, left / LONGEST)})`;
    if (left === 0) refresh();
  }

  // An open dialog makes the rest of the page inert, so the phone goes along into it.
  function follow() {
    const dialog = document.querySelector("dialog[open]:has([autocomplete=one-time-code])");
    if (panel.parentElement === (dialog ?? home)) return;
    if (dialog) dialog.append(panel);
    else home.prepend(panel);
    refresh();
  }

  part("copy").hidden = !navigator.clipboard;
  part("copy").onclick = async () => {
    await navigator.clipboard.writeText(part("code").textContent.replace(" ", ""));
    part("copy").textContent = "Copied";
    setTimeout(() => (part("copy").textContent = "Copy the code"), 2000);
  };
  new MutationObserver(follow).observe(document.body, {
    subtree: true,
    attributeFilter: ["open"],
  });
  Clerk.addListener(({ user }) => {
    panel.hidden = !user;
    if (user && user.id !== whose) refresh();
    whose = user?.id;
  });
  setInterval(tick, 250);
}
