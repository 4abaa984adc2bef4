/** Wait before connection attempt number `attempt` (from 1): 50 ms, doubled up to 2 s, half of it random so that workers do not come together. */
export function retryDelayMs(attempt: number, random: () => number = Math.random): number {
  const longest = Math.min(50 * 2 ** Math.min(attempt - 1, 10), 2000);
  return longest / 2 + (longest / 2) * random();
}
