#!/usr/bin/env node
// The command's entry, committed so that npm can link it before any build: the build when it is there, else the source.
import { existsSync } from "node:fs";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`gmc needs Node 20.19 or newer, this is ${process.versions.node}; get one from https://nodejs.org`);
  process.exit(2);
}
const built = new URL("../dist/main.js", import.meta.url);
if (existsSync(built)) await import(built.href);
else await runSource();

async function runSource() {
  const { register } = await import("node:module");
  const tsx = await import("tsx/esm/api").catch(() => {
    console.error("gmc is not built here and tsx is missing: run `npm install` in the repository, or `npm run build`.");
    process.exit(2);
  });
  // Adds the condition that `--conditions=@gmc/source` would, in this process: signals and exit codes stay its own.
  const hook = "export const resolve=(s,c,next)=>next(s,{...c,conditions:['@gmc/source',...c.conditions]})";
  register(`data:text/javascript,${encodeURIComponent(hook)}`);
  tsx.register();
  await import(new URL("../src/main.ts", import.meta.url).href);
}
