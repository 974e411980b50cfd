// Calls a live server as a page with Clerk's own `useReverification` does.
//
// Answers each line of stdin, a job, with a line that says what came of it, both JSON:
//   url, method, json   the call
//   cookies, headers    what the browser holds, and what the page sends along
//   answer              what a person does when the hook asks:
//     {"cookies": …, "headers": …}  proves the factors in Clerk's modal, which puts a
//                                   new session token in the place of the old one
//     {"cancel": true}              closes the modal
//     {"code": "123456"}            types a code into a dialogue of the page's own
//   Without an answer there is no hook, and the call is made as it is.

import { createInterface } from "node:readline";
import { isReverificationHint } from "@clerk/shared/authorization-errors";
import { ClerkInstanceContext, useReverification } from "@clerk/shared/react";
import { createElement } from "react";
import { renderToString } from "react-dom/server";

async function call(browser, responses, url, method, json) {
  const cookies = Object.entries(browser.cookies).map((pair) => pair.join("="));
  const response = await fetch(url, {
    method,
    headers: {
      ...browser.headers,
      ...(cookies.length && { Cookie: cookies.join("; ") }),
      ...(json !== undefined && { "Content-Type": "application/json" }),
    },
    body: JSON.stringify(json),
    signal: AbortSignal.timeout(30_000),
  });
  for (const cookie of response.headers.getSetCookie()) {
    const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
    browser.cookies[name] = value;
  }
  responses.push({
    status: response.status,
    redirected: response.redirected,
    headers: Object.fromEntries(response.headers),
    body: await response.clone().text(),
  });
  return response;
}

// All of Clerk that the hook uses: the modal, and a session token that it renews.
function clerk(browser, opened, { cancel, cookies, headers }) {
  return {
    __internal_openReverification(modal) {
      opened.push(modal.level);
      if (cancel) return modal.afterVerificationCancelled();
      Object.assign(browser.cookies, cookies);
      Object.assign(browser.headers, headers);
      modal.afterVerification();
    },
  };
}

function dialogue(browser, opened, responses, { url, answer: { code } }) {
  return async ({ level, complete, cancel }) => {
    opened.push(level);
    const { challenge, verify_url } = JSON.parse(responses.at(-1).body);
    const verify = new URL(verify_url, url);
    const sent = { challenge, code };
    const response = await call(browser, responses, verify, "POST", sent);
    const { verified, marker } = await response.json();
    if (marker) browser.headers["Stepup-Marker"] = marker;
    verified ? complete() : cancel();
  };
}

function hooked(fetcher, instance, options) {
  let enhanced;
  function Page() {
    enhanced = useReverification(fetcher, options);
  }
  const { Provider } = ClerkInstanceContext;
  const value = { value: instance };
  renderToString(createElement(Provider, { value }, createElement(Page)));
  return enhanced;
}

async function run(job) {
  const browser = { cookies: job.cookies, headers: job.headers };
  const [opened, responses] = [[], []];
  let fetcher = () => call(browser, responses, job.url, job.method, job.json);
  if (job.answer) {
    const onNeedsReverification = dialogue(browser, opened, responses, job);
    const options = job.answer.code ? { onNeedsReverification } : undefined;
    fetcher = hooked(fetcher, clerk(browser, opened, job.answer), options);
  }
  const came = { opened, responses, browser, result: null, hint: null, error: null };
  try {
    const result = await fetcher();
    came.result = result instanceof Response ? await result.json() : result;
    came.hint = isReverificationHint(came.result);
  } catch ({ name, code, message }) {
    came.error = { name, code, message };
  }
  return came;
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line))));
}
