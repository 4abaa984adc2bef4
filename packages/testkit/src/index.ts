export { fixturePath, sharedPath } from "./shared.ts";
