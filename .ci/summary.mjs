// The end of what CI prints, from the JSON reports of the test runners: what failed and why, what was skipped, the totals.
import { readdirSync, readFileSync } from "node:fs";
import { relative } from "node:path";

const folder = process.argv[2];
const reports = readdirSync(folder).map((name) => ({
  step: name.replace(".json", ""),
  ...JSON.parse(readFileSync(`${folder}/${name}`, "utf8")),
}));

for (const { step, testResults } of reports) {
  for (const { name, status, message, assertionResults } of testResults) {
    const file = relative(process.cwd(), name);
    // A file that fails as a whole (it does not load, a hook throws) has a message of its own.
    if (status === "failed" && message) console.log(`FAILED [${step}] ${file}: ${firstLines(message)}`);
    for (const { fullName, status: outcome, failureMessages } of assertionResults) {
      if (outcome === "failed") console.log(`FAILED [${step}] ${file}: ${fullName}\n${firstLines(failureMessages[0])}`);
    }
    const skipped = assertionResults.filter(({ status: outcome }) => outcome === "skipped" || outcome === "pending");
    if (skipped.length > 0) console.log(`skipped [${step}] ${file}: ${skipped.length} (${skipped[0].fullName}, ...)`);
  }
}

const total = (field) => reports.reduce((sum, report) => sum + report[field], 0);
console.log(
  `${total("numPassedTests")} passed, ${total("numFailedTests")} failed, ${total("numPendingTests")} skipped`,
);

function firstLines(text) {
  return (text ?? "").split("\n").slice(0, 25).join("\n").slice(0, 3000);
}
