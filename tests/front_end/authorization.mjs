// Asks Clerk's own algorithm about a table.
//
// Answers a line of stdin, {"ages": [fva, …], "configs": [config, …]}, with a line that
// says, for each fva, whether it meets each config, and each config as Clerk reads it.

import { createInterface } from "node:readline";
import {
  createCheckAuthorization,
  validateReverificationConfig,
} from "@clerk/shared/authorization";

function table({ ages, configs }) {
  const met = ages.map((factorVerificationAge) => {
    const has = createCheckAuthorization({ userId: "alice", factorVerificationAge });
    return configs.map((reverification) => has({ reverification }));
  });
  const read = configs.map((config) => validateReverificationConfig(config)());
  return { met, read };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(table(JSON.parse(line))));
}
