import { planRays } from "/work/main/packages/evaluation/src/alignment/ray-plan.ts";
import { RayCaster } from "/work/main/packages/evaluation/src/alignment/ray-caster.ts";
import { plainHits } from "/work/main/packages/evaluation/src/alignment/plain-rays.ts";
import { normalAt, randomKey } from "@gmc/core";
const key = randomKey(3, "t");
const n = Number(process.argv[2] ?? 200), dim = Number(process.argv[3] ?? 5), T = Number(process.argv[4] ?? 300), spread = Number(process.argv[5] ?? 1);
const pts = new Float64Array(n * dim);
for (let i = 0; i < n; i++) for (let k = 0; k < dim; k++) pts[i * dim + k] = Math.fround(normalAt(key, i * dim + k)*spread + normalAt(randomKey(4, "c"), (i % 10) * dim + k));
if (process.argv[6]) for (let i = 0; i < n; i++) { let s=0; for (let k=0;k<dim;k++) s+=pts[i*dim+k]!**2; for (let k=0;k<dim;k++) pts[i*dim+k]=Math.fround(pts[i*dim+k]!/Math.sqrt(s)); }
const cpu = () => process.cpuUsage().user / 1e3;
let t = performance.now();
const { plan } = planRays({ points: pts, dim, rays: T, seed: 0, counted: true, threads: 0, memoryBytes: 4e8 });
console.log("plan", performance.now() - t, "group", plan.group);
t = cpu();
const caster = new RayCaster(plan);
const end = Math.min(n, plan.group, 1000);
const g = caster.cast({ start: 0, end });
let r = g.next(); while (!r.done) r = g.next();
const ms = cpu() - t;
const rows = r.value!;
console.log("cast", ms.toFixed(0), "ms; share", (rows.evaluated / (n * end * T)).toFixed(4), "ns/pair(evaluated)", (ms * 1e6 / rows.evaluated).toFixed(3), "ns/pair(all)", (ms * 1e6 / (n*end*T)).toFixed(4), "full-size CPU s for 4e12·(n/20000)²:", (ms/1e3*n/end*1e4/T).toFixed(0));
let bad = 0;
for (let i = 0; i < (n > 1000 ? 2 : 50); i++) { const h = plainHits(plan, i); for (let y = 0; y < n; y++) if (h[y] !== rows.hits![i * n + y]) bad++; }
console.log("bad", bad);
let deg=0; for (const h of rows.hits!) if (h) deg++; console.log("distinct per site", deg/end);
