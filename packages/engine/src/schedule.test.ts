import { expect, test } from "vitest";
import { expectedEnds, urgencyOrder } from "./schedule.ts";

/** As GMC's backward: the head, then the joint encoder, and image, label, trajectory. */
const BACKWARD = [
  { after: [], work: 5 },
  { after: [0], work: 29 },
  { after: [0], work: 20 },
  { after: [0], work: 1 },
  { after: [0], work: 8 },
];

test("what has the most work behind it comes first, the smaller number where that is equal", () => {
  expect(urgencyOrder(BACKWARD)).toEqual([0, 1, 2, 4, 3]);
  expect(
    urgencyOrder([
      { after: [], work: 1 },
      { after: [], work: 9 },
      { after: [0], work: 10 },
      { after: [1], work: 2 },
      { after: [], work: 2 },
    ]),
  ).toEqual([0, 1, 2, 3, 4]);
});

test("a job comes before those that need it, also when it takes no time", () => {
  expect(
    urgencyOrder([
      { after: [], work: 0 },
      { after: [0], work: 0 },
      { after: [1], work: 0 },
    ]),
  ).toEqual([0, 1, 2]);
});

test("on one lane jobs end in their order, on two when their lane gets there", () => {
  const order = urgencyOrder(BACKWARD);
  expect(expectedEnds(BACKWARD, order, 1)).toEqual(order);
  expect(expectedEnds(BACKWARD, order, 2)).toEqual([0, 2, 4, 1, 3]);
});

test("a lane does not wait for a job that cannot start yet while another can", () => {
  const jobs = [
    { after: [], work: 4 },
    { after: [0], work: 9 },
    { after: [], work: 1 },
    { after: [], work: 1 },
  ];
  expect(expectedEnds(jobs, urgencyOrder(jobs), 2)).toEqual([2, 3, 0, 1]);
});

test("jobs that can never start are an error, not an endless loop", () => {
  expect(() => expectedEnds([{ after: [0], work: 1 }], [0], 2)).toThrow(/wait for each other/);
});
