// Where htmx is refused a form because a code is needed, the form is sent without htmx.
// The answer to that is the prompt, which keeps the form and sends it again.
//
// For forms that have both: <form method="post" action="…" hx-post="…">.
"use strict";

function isPromptAhead({ xhr, ctx }) {
  return xhr // htmx 2; htmx 4 has ctx
    ? xhr.status === 403 && xhr.getResponseHeader("HX-Redirect") !== null
    : ctx.response.status === 403 && ctx.response.headers.has("HX-Redirect");
}

function sendWithoutHtmx(form, button) {
  // What the button that was pressed says is part of what was sent.
  const addButton = ({ formData }) => formData.append(button.name, button.value);
  if (button?.name) form.addEventListener("formdata", addButton, { once: true });
  // Not form.submit(), which may be a field of that name. Nobody listens to this: it
  // goes past htmx.
  HTMLFormElement.prototype.submit.call(form);
}

function loseNothing(event) {
  const form = event.target;
  if (!form.matches("form[method=post][action]") || !isPromptAhead(event.detail)) return;
  event.preventDefault(); // instead of going where HX-Redirect leads
  const { requestConfig, ctx } = event.detail;
  sendWithoutHtmx(form, (requestConfig?.triggeringEvent ?? ctx?.request)?.submitter);
}

document.addEventListener("htmx:beforeOnLoad", loseNothing); // htmx 2
document.addEventListener("htmx:before:response", loseNothing); // htmx 4
