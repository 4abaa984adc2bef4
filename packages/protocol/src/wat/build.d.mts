/** Text of the generated file, from a fresh compilation. */
export function buildKernel(): Promise<string>;
