import { expect, test } from "vitest";
import { missingModalityTable, tableMarkdown } from "./table.ts";

test("accuracies are percents by what is present", () => {
  expect(tableMarkdown({ accuracy: { complete: 0.9995, image: 0.9, "image+sound": 1 }, samples: 500 })).toBe(
    `| present | accuracy (%) |
| --- | ---: |
| complete | 99.95 |
| image | 90.00 |
| image+sound | 100.00 |

500 test samples.`,
  );
});

test("recall stands from code to code", () => {
  const recall = { "recall@1": 0.5, "recall@5": 0.75, "recall@10": 1 };
  expect(tableMarkdown({ retrieval: { image: { complete: recall }, complete: { image: recall } }, samples: 8 })).toBe(
    `| from \\ to | image | complete |
| --- | ---: | ---: |
| image |  | 50.00 / 75.00 / 100.00 |
| complete | 50.00 / 75.00 / 100.00 |  |

Recall at 1 / 5 / 10 in percent among 8 test samples.`,
  );
});

test("runs stand below each other with mean and standard deviation", () => {
  const result = (complete: number, image: number) => ({ accuracy: { complete, image }, samples: 10 });
  expect(missingModalityTable({ "seed 0": result(1, 0.9), "seed 1": result(0.98, 0.8) })).toBe(
    `| run | complete | image |
| --- | ---: | ---: |
| seed 0 | 100.00 | 90.00 |
| seed 1 | 98.00 | 80.00 |
| mean ± std | 99.00 ± 1.41 | 85.00 ± 7.07 |`,
  );
  expect(missingModalityTable({ a: result(1, 0.5) }).split("\n")).toHaveLength(3);
});
