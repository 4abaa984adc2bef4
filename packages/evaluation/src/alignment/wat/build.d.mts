/** Every generated file's name and text, from a fresh compilation. */
export function buildKernels(): Promise<readonly { readonly file: string; readonly text: string }[]>;
