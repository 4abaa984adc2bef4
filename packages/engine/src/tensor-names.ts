/** Names of a program's tensors, by what they are. */
export const tensorNames = {
  parameter: (name: string) => `parameter/${name}`,
  buffer: (name: string) => `buffer/${name}`,
  input: (name: string) => `input/${name}`,
  gradient: (name: string) => `gradient/${name}`,
  statistics: (name: string) => `statistics/${name}`,
  output: (name: string) => `output/${name}`,
  saved: (id: number) => `saved/${id}`,
  embeddings: "embeddings",
  localLoss: "localLoss",
  dz: "dz",
  localWeight: "localWeight",
  code: "code",
} as const;

/** True for the name of a parameter's gradient. */
export const isGradient = (name: string): boolean => name.startsWith(tensorNames.gradient(""));
