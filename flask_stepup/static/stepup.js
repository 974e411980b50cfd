// Without this script everything works too, with a press of a button or two more.
(() => {
  const find = (selector) => document.querySelector(`.stepup ${selector}`);

  // Each form is sent once: a double click is meant as one, and so is a click on what
  // goes on by itself. Who waits for a minute, or comes back, may press again.
  let inFlight = new WeakMap();
  const sending = (form) => {
    const button = form.querySelector("[type=submit]");
    inFlight.set(form, button.textContent);
    button.ariaDisabled = "true";
    button.textContent = form.dataset.stepupBusy || button.textContent;
    setTimeout(() => sendable(form), 60_000);
  };
  const sendable = (form) => {
    if (!inFlight.has(form)) return;
    const button = form.querySelector("[type=submit]");
    button.ariaDisabled = null;
    button.textContent = inFlight.get(form);
    inFlight.delete(form);
  };
  const form = find("form.stepup-code-form");
  const onward = find("form[data-stepup-onward]");
  const say = (text) => {
    const status = find(".stepup-status");
    if (status) status.textContent = text;
  };

  addEventListener("submit", (event) => {
    if (event.defaultPrevented) return; // by the app, which has found something to mend
    const sent = event.target;
    if (inFlight.has(sent)) return event.preventDefault();
    if (sent === form) {
      if (!navigator.onLine) {
        event.preventDefault();
        return say(form.dataset.stepupOffline);
      }
      remember(true);
    }
    if (sent.closest(".stepup")) sending(sent);
  });
  addEventListener("online", () => say(""));

  // Who sends a code and comes back without an answer is told so.
  const remember = (isSent) => {
    try {
      const was = sessionStorage.getItem("stepup");
      if (isSent) sessionStorage.setItem("stepup", "sent");
      else sessionStorage.removeItem("stepup");
      return was;
    } catch {
      return null; // no storage is allowed here
    }
  };
  const comeBack = () => {
    if (form && remember(false) && !find(".stepup-problem")) {
      say(form.dataset.stepupUnanswered);
    }
  };
  const [arrival] = performance.getEntriesByType("navigation");
  if (["back_forward", "reload"].includes(arrival?.type)) comeBack();
  else remember(false);
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    document.querySelectorAll(".stepup form").forEach(sendable);
    if (form) form.elements.code.value = "";
    comeBack();
  });

  if (form) takeCodes(form.elements.code);
  if (find("[data-stepup-wait]")) countDown(find("[data-stepup-wait]"));
  if (find("[data-stepup-at]")) showLocally(find("[data-stepup-at]"));
  if (onward && navigator.onLine) {
    sending(onward);
    // The prototype's method: a field of the form may be called "submit".
    HTMLFormElement.prototype.submit.call(onward);
  }

  // A whole code of an authenticator app is sent by itself, once, when there was time to
  // see it. Typed digits could be the first of a backup code: they wait for more to come.
  function takeCodes(input) {
    const hint = find(".stepup-hint");
    const other = find(".stepup-switch");
    let isBackup = false;
    let before = "";
    let timer;
    const show = () => {
      input.inputMode = isBackup ? "text" : "numeric";
      hint.textContent = isBackup ? hint.dataset.stepupBackup : hint.dataset.stepupApp;
      other.textContent = isBackup ? other.dataset.stepupApp : other.dataset.stepupBackup;
    };
    show();
    other.hidden = false;
    other.addEventListener("click", () => {
      clearTimeout(timer);
      isBackup = !isBackup;
      show();
      input.blur(); // a phone shows the other keyboard when it is focused anew
      input.focus();
    });
    input.addEventListener("input", () => {
      clearTimeout(timer);
      const isWhole = before === "";
      before = input.value;
      if (isBackup || !/^(?:[\s-]*\p{Nd}){6}[\s-]*$/u.test(before)) return;
      timer = setTimeout(() => {
        isBackup = true; // no second time
        form.requestSubmit();
      }, isWhole ? 400 : 1_000);
    });
  }

  function countDown(wait) {
    const until = Date.now() + wait.dataset.stepupWait * 1000;
    const [clock, ready] = [find("[role=timer]"), find("[data-stepup-ready]")];
    const tick = () => {
      const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
      const parts = [left / 3600, (left / 60) % 60, left % 60].map(Math.floor);
      const [first, ...rest] = parts[0] ? parts : parts.slice(1);
      clock.textContent = [first, ...rest.map((n) => `${n}`.padStart(2, "0"))].join(":");
      if (left) return setTimeout(tick, 1000 - ((Date.now() - until) % 1000 + 1000) % 1000);
      clock.parentElement.hidden = true;
      ready.textContent = ready.dataset.stepupReady;
      document.querySelectorAll(".stepup .stepup-quiet").forEach((button) => {
        button.classList.remove("stepup-quiet");
      });
    };
    if (wait.dataset.stepupWait > 86_400) return; // the sentence has the day
    wait.hidden = false;
    tick();
  }

  // By the person's own clock, which the server does not know.
  function showLocally(told) {
    const at = new Date(told.dataset.stepupAt);
    const isSoon = at - Date.now() < 43_200_000;
    const style = isSoon ? { timeStyle: "medium" } : { dateStyle: "long", timeStyle: "short" };
    const { lang } = told.closest("[lang]");
    const own = navigator.languages.find((name) => name.split("-")[0] === lang.split("-")[0]);
    const local = at.toLocaleString(own || lang, style);
    told.textContent = told.textContent.replace(told.dataset.stepupMoment, local);
  }
})();
