// What goes over the wire, for the page to show. It listens in on fetch() and on Clerk's
// modal, so that reverification.js has nothing in it but what a front end needs.

const list = document.querySelector("[data-wire]");
const quiet = document.querySelector("[data-quiet]");
const fetched = window.fetch;
const HEADERS = ["Content-Type", "Cache-Control", "Retry-After", "WWW-Authenticate"];
const MOST_GROUPS = 6;

window.fetch = async (path, options = {}) => {
  if (!/^\/(api|stepup)\//.test(path)) return fetched(path, options);
  const ages = factorAges();
  const response = await fetched(path, options);
  show(path, options, ages, response.clone());
  return response;
};

/** The claim `fva` of the session token in Clerk's cookie: whole minutes, or -1. */
export function factorAges() {
  const token = document.cookie.match(/(?:^|; )__session=[^.;]+\.([^.;]+)/);
  const base64 = token?.[1].replaceAll("-", "+").replaceAll("_", "/");
  return base64 && JSON.parse(atob(base64)).fva;
}

/** Begin a new list of exchanges, and fold the older ones. */
export function group(title) {
  quiet.hidden = true;
  for (const old of list.querySelectorAll("details")) old.open = false;
  list.prepend(element("li", "group", element("h3", "", title), element("ol", "")));
  while (list.children.length > MOST_GROUPS) list.lastChild.remove();
}

/** Forget all exchanges. */
export function clear() {
  list.replaceChildren();
  quiet.hidden = false;
}

/** Tell when Clerk's modal opens, and how it ends. */
export function watch(clerk) {
  const open = clerk.__internal_openReverification;
  clerk.__internal_openReverification = (props) => {
    note(`Clerk’s modal opens, for level ${props.level}`);
    open.call(clerk, {
      ...props,
      afterVerification() {
        note("Clerk’s modal has put a new session token into its cookie");
        props.afterVerification();
      },
      afterVerificationCancelled() {
        note("Clerk’s modal was cancelled");
        props.afterVerificationCancelled();
      },
    });
  };
}

function note(text) {
  add(element("li", "note", text));
}

async function show(path, { method = "GET", body }, ages, response) {
  const status = element("span", `status is-${Math.floor(response.status / 100)}`);
  status.textContent = response.status;
  const fva = ages ? element("span", "ages", `fva [${ages.join(", ")}]`) : "";
  const line = element("code", "", `${method} ${path}`);
  const summary = element("summary", "", status, " ", line, " ", fva);
  const entry = element("details", "exchange", summary);
  entry.open = true;
  add(element("li", "", entry));
  // In the list, and in its order; now what has to be waited for.
  const answer = JSON.parse(await response.text());
  const sent = body && JSON.parse(body);
  if (sent?.code) sent.code = "······";
  const headers = HEADERS.filter((name) => response.headers.has(name));
  const lines = headers.map((name) => `${name}: ${response.headers.get(name)}`);
  entry.append(
    ...(sent ? [element("p", "way", "Sent"), pretty(sent)] : []),
    element("p", "way", "Answered"),
    element("p", "headers", lines.join("\n")),
    pretty(answer),
  );
}

function add(item) {
  list.querySelector(".group > ol")?.append(item);
}

function pretty(value) {
  const block = element("pre", "");
  const text = JSON.stringify(value, (_, part) => shortened(part), 2);
  // Every second part is a name.
  text.split(/("[^"]*"(?=:))/).forEach((part, place) => {
    const name = part === '"clerk_error"' ? "mark" : "b";
    block.append(place % 2 ? element(name, "", part) : part);
  });
  return block;
}

function shortened(value) {
  const isToken = typeof value === "string" && value.length > 40 && !value.includes(" ");
  return isToken ? `${value.slice(0, 10)}… (${value.length} characters)` : value;
}

function element(name, className, ...content) {
  const made = Object.assign(document.createElement(name), { className });
  made.append(...content);
  return made;
}
