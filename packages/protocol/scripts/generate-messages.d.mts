/** Text of the generated file. */
export function generateMessages(): string;
