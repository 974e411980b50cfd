// The page: what its buttons call, and what it says of the answers.

import { ReverificationCancelled, withReverification } from "./reverification.js";
import { clear, factorAges, group, watch } from "./wire.js";

const Clerk = window.Clerk;
const find = (selector) => document.querySelector(selector);
const all = (selector) => document.querySelectorAll(selector);

// Method, path, and what is said of a good answer.
const CALLS = {
  me: [
    "GET",
    "/api/me",
    ({ user_id, reverified }) => `${user_id}, ${reverified ? "" : "not "}verified recently`,
  ],
  numbers: [
    "GET",
    "/api/account-numbers",
    ({ account_numbers }) =>
      Object.entries(account_numbers)
        .map(([name, number]) => `${name} ${number}`)
        .join("\n"),
  ],
  keys: ["POST", "/api/keys", ({ key }) => key],
  transfers: [
    "POST",
    "/api/transfers",
    ({ sent, to, left }) => `${sent} sent to ${to}. ${left} left.`,
  ],
};

async function request(method, path, form) {
  // Clerk's cookie lives for a minute: this renews it where the page was asleep.
  await Clerk?.session?.getToken();
  const typed = Object.fromEntries(new FormData(form));
  if (!Object.keys(typed).length) return fetch(path, { method });
  const headers = { "Content-Type": "application/json" };
  return fetch(path, { method, headers, body: JSON.stringify(typed) });
}

async function press(form) {
  const [method, path, says] = CALLS[form.dataset.call];
  const article = form.closest("article");
  const outcome = article.querySelector("[data-outcome]");
  const tell = (text, kind = "") => {
    outcome.textContent = text;
    outcome.className = `outcome ${kind}`;
  };
  tell("");
  group(article.querySelector("h2").textContent);
  try {
    const response = await withReverification(() => request(method, path, form), prompt);
    const told = await response.json();
    if (response.ok) tell(says(told), "is-good");
    else tell(told.detail, "is-bad");
  } catch (error) {
    if (error instanceof ReverificationCancelled) tell("Cancelled. Nothing was done.");
    else tell(`That did not work: ${error.message}`, "is-bad");
  }
  render();
}

// The page's own prompt, for what Clerk's modal cannot prove.
function prompt(reason, tryCode) {
  const dialog = find("[data-prompt]");
  const form = dialog.querySelector("form");
  const [button, problem] = [form.querySelector("button"), find("#prompt-problem")];
  dialog.querySelector("[data-reason]").textContent = reason;
  problem.textContent = "";
  form.reset();
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.onclose = () => reject(new ReverificationCancelled());
    form.onsubmit = async (event) => {
      event.preventDefault();
      button.disabled = true; // a code that is sent twice is refused the second time
      try {
        const wrong = await tryCode(form.code.value);
        problem.textContent = wrong ? `${wrong.title}. ${wrong.detail}` : "";
        if (wrong) return form.code.select();
        resolve();
      } catch (error) {
        reject(error);
      } finally {
        button.disabled = false;
      }
      dialog.close();
    };
  });
}

let whose;

function render() {
  const { user, session } = Clerk ?? {};
  if (whose !== session?.id) {
    // Nobody sees what somebody else was told.
    for (const outcome of all("[data-outcome]")) outcome.textContent = "";
    clear();
  }
  whose = session?.id;
  for (const part of all("[data-signed-in]")) part.hidden = !user;
  find("[data-signed-out]").hidden = Boolean(user);
  const name = user?.firstName || user?.id;
  find("[data-name]").textContent = session?.actor ? `Support, as ${name}` : name;
  const said = factorAges()?.map((age, place) => `${place ? "second" : "first"} factor ${ago(age)}`);
  find("[data-ages]").textContent = said?.join(", ") ?? "nothing about factors";
}

function ago(minutes) {
  if (minutes < 0) return "never";
  return minutes ? `${minutes} min ago` : "just now";
}

async function start() {
  if (!Clerk) throw new Error("Clerk’s JavaScript could not be loaded.");
  await Clerk.load({ telemetry: false, ui: { ClerkUI: window.__internal_ClerkUICtor } });
  watch(Clerk);
  Clerk.addListener(render);
  render();
  find("[data-sign-in]").onclick = () => Clerk.openSignIn();
  find("[data-sign-out]").onclick = () => Clerk.signOut();
}

let pressed = Promise.resolve();
for (const form of all("[data-call]")) {
  form.onsubmit = (event) => {
    event.preventDefault();
    pressed = pressed.then(() => press(form)); // one after the other
  };
}
for (const button of all("dialog [data-cancel]")) {
  button.onclick = () => button.closest("dialog").close();
}
start().catch((error) => (find("[data-failure]").textContent = error.message));
