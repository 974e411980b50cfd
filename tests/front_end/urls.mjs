// Resolves addresses as browsers do (WHATWG URL, of which node has an implementation).
//
// Answers a line of stdin, [[address, base], …], with a line that has the origin that
// each leads to. What is no URL leads nowhere.

import { createInterface } from "node:readline";

function resolve([address, base]) {
  if (!URL.canParse(address, base)) return "nowhere";
  return new URL(address, base).origin;
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(JSON.parse(line).map(resolve)));
}
