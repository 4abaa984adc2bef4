import { runCli } from "./cli.ts";

// Standard output belongs to results: what a library prints goes to standard error.
console.log = console.info = console.debug = console.error;

// Whoever reads the results may stop reading: `gmc watch JOB --json | head -1`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), process, process.env);
// A handle that someone left open must not keep the command alive; the timer itself does not either.
setTimeout(() => process.exit(), 2000).unref();
