import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gmc, ROOT, workFolder } from "../e2e/gmc.ts";
import { browserMissing, openBrowser } from "../support/browser.ts";

const missing = browserMissing();

describe.skipIf(missing)(`the report in a browser${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const folder = workFolder();
  let browser: Browser;

  beforeAll(async () => {
    await run("data", "synth", "--out", "data", "--train", "128", "--test", "80", "--seed", "1");
    const demo = join(ROOT, "examples/demo.yaml");
    for (const seed of ["0", "1"]) {
      const validation = ["--training.validation.fraction", "0.5"];
      await run(
        "train",
        demo,
        "--data.path",
        "data",
        "--training.epochs",
        "2",
        ...validation,
        "--seed",
        seed,
        "--out",
        `runs/${seed}`,
      );
    }
    const few = ["--rays", "100", "--samples", "60", "--evaluation.classifier.epochs", "2"];
    await run("report", "runs/0", "--out", "one.html", ...few);
    await run("report", "runs", "--out", "both.html", ...few);
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    folder.close();
  });

  async function run(...args: string[]): Promise<void> {
    const ended = await gmc(args, folder.path);
    expect(ended.code, ended.stderr).toBe(0);
  }

  /** The page from its file, in a context without a network, and what went wrong or was asked for meanwhile. */
  async function openReport(
    name: string,
    width = 1280,
  ): Promise<{ page: Page; problems: string[]; requests: string[] }> {
    const context = await browser.newContext({ offline: true, viewport: { width, height: 900 } });
    const page = await context.newPage();
    const problems: string[] = [];
    const requests: string[] = [];
    page.on("console", (message) => problems.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(join(folder.path, name)).href, { waitUntil: "load" });
    return { page, problems, requests };
  }

  test.each([
    ["one.html", 3],
    ["both.html", 5],
  ])("%s opens from its file without a network or a word on the console, and shows %i figures", async (name, count) => {
    const { page, problems, requests } = await openReport(name);
    expect(requests).toEqual([page.url()]);
    const figures = page.locator("figure svg");
    expect(await figures.count()).toBe(count);
    for (const figure of await figures.all()) {
      await figure.scrollIntoViewIfNeeded();
      expect(await figure.isVisible()).toBe(true);
      const box = await figure.boundingBox();
      expect(box?.width).toBeGreaterThan(300);
      expect(box?.height).toBeGreaterThan(150);
      expect(await figure.locator("path, circle").count()).toBeGreaterThan(2);
    }
    for (const table of await page.locator("table").all()) expect(await table.isVisible()).toBe(true);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("the page's links lead to its parts", async () => {
    const { page } = await openReport("one.html");
    const links = page.locator("nav a");
    expect(await links.count()).toBe(8);
    for (const link of await links.all()) {
      await link.click();
      const target = page.locator((await link.getAttribute("href")) ?? "");
      expect(await target.isVisible()).toBe(true);
    }
    await page.context().close();
  });

  test.each([390, 800, 1280])("at %i pixels nothing but tables and figures scrolls sideways", async (width) => {
    const { page } = await openReport("both.html", width);
    const overflow = await page.evaluate<number>(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    expect(overflow).toBe(0);
    await page.context().close();
  });

  test("the page prints: dark on white, no figure cut, everything within the paper's width", async () => {
    const { page } = await openReport("both.html");
    const pdf = await page.pdf({ preferCSSPageSize: true });
    expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
    const sheets = pdf.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 0;
    expect(sheets).toBeGreaterThanOrEqual(2);
    expect(sheets).toBeLessThanOrEqual(12);
    await page.emulateMedia({ media: "print" });
    await page.setViewportSize({ width: 695, height: 1000 }); // A4 less its margins
    const wide = await page
      .locator("table, figure svg")
      .evaluateAll((all) =>
        all.filter((one) => one.getBoundingClientRect().right > 696).map((one) => one.textContent?.slice(0, 80)),
      );
    expect(wide).toEqual([]);
    expect(await page.locator("nav").isVisible()).toBe(false);
    const styleOf = (name: string) => page.evaluate<string>(`getComputedStyle(document.body).${name}`);
    expect(await styleOf("backgroundColor")).toBe("rgb(255, 255, 255)");
    expect(await styleOf("color")).toBe("rgb(29, 35, 41)");
    await page.context().close();
  });
});
