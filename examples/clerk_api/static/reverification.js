// What a front end needs besides fetch(), with a framework or without: Clerk's hook
// useReverification() in plain JavaScript, and a prompt of the page's own for what
// Clerk's modal cannot prove.
//
// Cookies carry everything, since this page and its API are of one origin: Clerk's
// JavaScript keeps the session token in one, and flask-stepup has Flask's session. From
// another origin, send Clerk.session.getToken() as `Authorization: Bearer`. The status
// is then 401, and a right code is answered with a `marker` to send as `Stepup-Marker`.

export class ReverificationCancelled extends Error {}

/**
 * Call the API. Where it asks for more, ask the person, and call it once more.
 *
 * @param call    () => Promise<Response>
 * @param prompt  (reason, tryCode) => Promise: asks for codes until `tryCode(code)` gives
 *                no problem; throws ReverificationCancelled where the person gives up
 */
export async function withReverification(call, prompt) {
  const response = await call();
  if (response.ok) return response;
  const refusal = await response.clone().json();
  if (isReverificationHint(refusal)) await reverifyWithClerk(refusal.clerk_error);
  else if (refusal.challenge) await prompt(refusal.policy.reason, answering(refusal));
  else return response;
  return call();
}

function isReverificationHint({ clerk_error: error }) {
  return error?.type === "forbidden" && error.reason === "reverification-error";
}

async function reverifyWithClerk({ metadata: { reverification: asked } }) {
  // The name of a preset, or an object that has the level.
  const level = asked.level ?? (asked === "strict_mfa" ? "multi_factor" : "second_factor");
  await new Promise((resolve, reject) => {
    Clerk.__internal_openReverification({
      level,
      afterVerification: resolve,
      afterVerificationCancelled: () => reject(new ReverificationCancelled()),
    });
  });
  await Clerk.session.getToken({ skipCache: true }); // into the cookie, too
}

function answering({ challenge, verify_url }) {
  return async function tryCode(code) {
    const body = JSON.stringify({ challenge, code });
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(verify_url, { method: "POST", headers, body });
    if (response.ok) return null;
    const problem = await response.json();
    challenge = problem.challenge ?? challenge; // renewed, where it was open for too long
    return problem;
  };
}
