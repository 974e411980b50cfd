// Without this script everything works, with one press of a button more.
(() => {
  const all = (selector) => [...document.querySelectorAll(`.stepup ${selector}`)];
  const [form] = all(".stepup-code-form");
  const [onward] = all("form[data-stepup-onward]");
  const [status] = all(".stepup-status");

  // Each form is sent once, by a double click or while it goes on by itself.
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
    setTimeout(() => inFlight.get(sent)?.(), 6e4);
  };
  addEventListener("submit", (event) => {
    const sent = event.target;
    const button = buttonOf(sent);
    // Prevented by an app, or not ours.
    if (event.defaultPrevented || !button) return;
    // Who insists may know.
    const isOffline = sent === form && !navigator.onLine && !status.textContent;
    if (isOffline) status.textContent = status.dataset.offline;
    if (isOffline || inFlight.has(sent)) return event.preventDefault();
    if (sent === form) sentBefore(mark);
    sending(sent, button);
  });

  addEventListener("online", () => status?.replaceChildren());

  // Who comes back to a prompt that gave no answer to a code is told so.
  const mark = form?.elements.challenge.value.slice(-20);
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
    if (isBack) form?.reset();
    if (sentBefore("") === mark && isBack) status?.append(status.dataset.unanswered || "");
  });

  // A whole code is sent by itself, once, when there was time to see it. Typed digits wait:
  // a backup code could begin so.
  const takeCodes = (input) => {
    const [hint] = all(".stepup-hint");
    const [other] = all(".stepup-switch");
    let isDone = all(".stepup-problem")[0]; // who was wrong once presses the button
    let isBackup, before, timer;
    const show = () => {
      if (!other) return; // the app says itself what it takes
      input.inputMode = isBackup ? "text" : "numeric";
      hint.textContent = hint.dataset[isBackup ? "backup" : "app"];
      other.textContent = other.dataset[isBackup ? "app" : "backup"];
      other.hidden = false;
    };
    show();
    for (const name of ["click", "focusout", "pagehide"]) {
      addEventListener(name, () => clearTimeout(timer)); // gone elsewhere
    }
    other?.addEventListener("click", () => {
      isBackup = !isBackup;
      show();
      input.blur(); // another keyboard
      input.focus();
    });
    input.oninput = ({ isComposing }) => {
      clearTimeout(timer);
      const isWhole = !before;
      before = input.value;
      if (isDone || isBackup || isComposing || !/^(?:[\s-]*\p{Nd}){6}[\s-]*$/u.test(before)) return;
      timer = setTimeout(() => {
        isDone = true;
        form.requestSubmit?.();
      }, isWhole ? 400 : 3e3);
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

  // By the person's own clock and customs.
  const showLocally = (told, { stepupAt, stepupMoment }) => {
    const at = new Date(stepupAt);
    const isSoon = at - Date.now() < 43_200_000;
    const local = isSoon ? at.toLocaleTimeString() : at.toLocaleString();
    told.textContent = told.textContent.replace(stepupMoment, local);
  };

  if (form) {
    takeCodes(form.elements.code);
    // What is sent twice by the same name is tried once.
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
