// Without this script everything works too, with one press of a button more.
(() => {
  const all = (selector) => [...document.querySelectorAll(`.stepup ${selector}`)];
  const [form] = all(".stepup-code-form");
  const [onward] = all("form[data-stepup-onward]");
  const [status] = all(".stepup-status");

  // Each form is sent once: a double click is one, and so is one on what goes on by itself.
  // Who waits for a minute, or comes back, may press again.
  const inFlight = new Map();
  // From the whole page: of a form's own properties any may be the name of a field.
  const buttonOf = (sent) => all("[type=submit]").find((button) => button.form === sent);
  const sending = (sent, button) => {
    const label = button.textContent;
    inFlight.set(sent, () => {
      button.ariaDisabled = null;
      button.textContent = label;
      inFlight.delete(sent);
    });
    button.ariaDisabled = "true";
    button.textContent = button.dataset.busy || label;
    setTimeout(() => inFlight.get(sent)?.(), 60_000);
  };
  addEventListener("submit", (event) => {
    const sent = event.target;
    const button = buttonOf(sent);
    // Prevented by the app, which has found something to mend; or none of ours.
    if (event.defaultPrevented || !button) return;
    const isOffline = sent === form && !navigator.onLine;
    if (isOffline) status.textContent = status.dataset.offline;
    if (isOffline || inFlight.has(sent)) return event.preventDefault();
    if (sent === form) sentBefore("yes");
    sending(sent, button);
  });

  addEventListener("online", () => status?.replaceChildren());

  // Who sends a code and comes back without an answer is told so.
  const sentBefore = (now) => {
    try {
      const before = sessionStorage.stepup;
      sessionStorage.stepup = now;
      return before;
    } catch {} // no storage is allowed here
  };
  addEventListener("pageshow", ({ persisted }) => {
    const type = performance.getEntriesByType?.("navigation")[0]?.type;
    const isBack = persisted || type === "back_forward" || type === "reload";
    if (persisted) inFlight.forEach((free) => free());
    if (isBack) form?.reset(); // browsers fill in again what was typed
    if (sentBefore("") && isBack) status?.append(status.dataset.unanswered || "");
  });

  // A whole code of an authenticator app is sent by itself, once, when there was time to
  // see it. Typed digits could be the first of a backup code: they wait for more to come.
  const takeCodes = (input) => {
    const [hint] = all(".stepup-hint");
    const [other] = all(".stepup-switch");
    let isBackup, before, timer;
    const show = () => {
      input.inputMode = isBackup ? "text" : "numeric";
      hint.textContent = hint.dataset[isBackup ? "backup" : "app"];
      other.textContent = other.dataset[isBackup ? "app" : "backup"];
    };
    show();
    other.hidden = false;
    other.onclick = () => {
      clearTimeout(timer);
      isBackup = !isBackup;
      show();
      input.blur(); // a phone shows the other keyboard when it is focused anew
      input.focus();
    };
    input.oninput = () => {
      clearTimeout(timer);
      const isWhole = !before;
      before = input.value;
      if (isBackup || !/^(?:[\s-]*\p{Nd}){6}[\s-]*$/u.test(before)) return;
      timer = setTimeout(() => {
        isBackup = true; // no second time
        form.requestSubmit();
      }, isWhole ? 400 : 1_000);
    };
  };

  const countDown = (wait, seconds) => {
    const end = Date.now() + seconds * 1_000;
    const [clock, ready] = wait.querySelectorAll("[role]");
    const tick = () => {
      const left = Math.max(0, Math.round((end - Date.now()) / 1_000));
      const time = new Date(left * 1_000).toISOString().slice(11, 19);
      clock.textContent = time.replace(/^(00:)?0?/, "");
      if (left) return setTimeout(tick, 1_000);
      clock.parentElement.hidden = true;
      ready.textContent = ready.dataset.stepupReady;
      all(".stepup-quiet").forEach((button) => button.classList.remove("stepup-quiet"));
    };
    wait.hidden = false;
    tick();
  };

  // By the person's own clock, which the server does not know.
  const showLocally = (told, { stepupAt, stepupMoment }) => {
    const at = new Date(stepupAt);
    const isSoon = at - Date.now() < 43_200_000;
    const style = isSoon ? { timeStyle: "medium" } : { dateStyle: "long", timeStyle: "short" };
    const { lang } = told.closest("[lang]");
    const own = navigator.languages.find((name) => name.startsWith(lang)) || lang;
    told.textContent = told.textContent.replace(stepupMoment, at.toLocaleString(own, style));
  };

  if (form) {
    takeCodes(form.elements.code);
    // What is sent twice with the same name, by a reload or the network, is tried once.
    const name = form.appendChild(document.createElement("input"));
    name.type = "hidden";
    name.name = "submission";
    name.value = Date.now() + Math.random();
  }
  for (const wait of all("[data-stepup-wait]")) countDown(wait, wait.dataset.stepupWait);
  for (const told of all("[data-stepup-at]")) showLocally(told, told.dataset);
  if (onward && navigator.onLine) {
    sending(onward, buttonOf(onward));
    // The prototype's method: a field of the form may be called "submit".
    HTMLFormElement.prototype.submit.call(onward);
  }
})();
