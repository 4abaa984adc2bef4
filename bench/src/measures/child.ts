// Entry of a child process: `child.ts NAME ARGUMENTS` sends its parent what the measure gives, then ends.
import type { Measures } from "./measures.ts";
import { measures } from "./measures.ts";

const [name, json = "{}"] = process.argv.slice(2);
const measure = measures[name as keyof Measures] as (args: unknown) => Promise<unknown>;
const result = await measure(JSON.parse(json));
process.send?.(result, () => process.exit());
