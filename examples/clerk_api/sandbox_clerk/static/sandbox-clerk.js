// A stand-in for Clerk's JavaScript, for this demo alone: of `window.Clerk`, what the
// page uses, in the same shape. It talks to the stand-in for Clerk's Frontend API.
"use strict";

{
  const PREFIX = "/sandbox-clerk";
  const AHEAD = 15; // seconds before a token expires that a new one is fetched
  const find = (selector) => document.querySelector(selector);
  const listeners = new Set();
  let held = null; // the session token

  async function ask(method, path, sent) {
    const headers = { "Content-Type": "application/json" };
    const options = { method, headers, body: sent && JSON.stringify(sent) };
    const response = await fetch(PREFIX + path, options);
    return { ok: response.ok, ...(await response.json().catch(() => ({}))) };
  }

  function hold(jwt) {
    held = jwt;
    document.cookie = `__session=${jwt ?? ""}; path=/; SameSite=Lax${jwt ? "" : "; max-age=0"}`;
  }

  function isFresh() {
    const claims = held?.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return claims && JSON.parse(atob(claims)).exp - AHEAD > Date.now() / 1000;
  }

  async function getToken({ skipCache = false } = {}) {
    if (skipCache || !isFresh()) {
      const answer = await ask("POST", "/tokens");
      if (!answer.ok) become(null); // the demo was started anew
      else hold(answer.jwt);
    }
    return held;
  }

  function become(session) {
    Clerk.session = session && { id: session.id, actor: session.actor, getToken };
    Clerk.user = session && session.user;
    if (!session) hold(null);
    for (const listener of listeners) listener(Clerk);
  }

  async function signedIn(session) {
    if (session) {
      Clerk.session = { getToken };
      await getToken({ skipCache: true });
    }
    become(session);
  }

  function opened(dialog, onSubmit, onCancel) {
    const form = dialog.querySelector("form");
    form.reset();
    dialog.onclose = onCancel;
    form.onsubmit = async (event) => {
      event.preventDefault();
      if (!(await onSubmit(form, event.submitter))) return;
      dialog.onclose = null;
      dialog.close();
    };
    dialog.showModal();
  }

  window.Clerk = {
    user: null,
    session: null,

    async load() {
      await signedIn((await ask("GET", "/client")).session);
      setInterval(() => Clerk.session?.getToken().catch(() => null), 5_000);
    },

    addListener(listener) {
      listeners.add(listener);
      listener(Clerk);
    },

    openSignIn() {
      opened(find("[data-clerk-sign-in]"), async (form, button) => {
        const as_support = "asSupport" in button.dataset;
        const answer = await ask("POST", "/sign-ins", { user_id: button.value, as_support });
        await signedIn(answer.session);
        return true;
      });
    },

    async signOut() {
      await ask("DELETE", "/client");
      become(null);
    },

    __internal_openReverification({ level, afterVerification, afterVerificationCancelled }) {
      const dialog = find("[data-clerk-modal]");
      const problem = dialog.querySelector("[data-problem]");
      dialog.querySelector("[data-level]").textContent = level;
      problem.textContent = "";
      const onSubmit = async (form) => {
        const answer = await ask("POST", "/verifications", { level, code: form.code.value });
        problem.textContent = answer.errors?.[0].long_message ?? "";
        if (!answer.ok) return form.code.select();
        await getToken({ skipCache: true });
        afterVerification();
        return true;
      };
      opened(dialog, onSubmit, afterVerificationCancelled);
    },
  };
}
