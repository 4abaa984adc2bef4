import { accessSync, constants } from "node:fs";
import type { Browser } from "playwright-core";
import { chromium } from "playwright-core";

/** Where Linux distributions put the browser. */
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Path of a Chromium: CHROMIUM_PATH, else the distribution's; undefined where there is none. */
export const chromiumPath = (): string | undefined => [process.env.CHROMIUM_PATH ?? PLACES].flat().find(isExecutable);

/** Why tests in a browser are skipped, else undefined. */
export const browserMissing = (): string | undefined =>
  chromiumPath() === undefined ? "no Chromium: on Debian, apt-get install chromium, or set CHROMIUM_PATH" : undefined;

/** A headless Chromium; no page of it reaches a network. */
export function openBrowser(): Promise<Browser> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error(browserMissing());
  // Its sandbox needs user namespaces that containers lack; it opens our own files only.
  const args = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"];
  return chromium.launch({ executablePath, headless: true, args });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
