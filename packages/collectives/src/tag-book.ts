/** Which tags are in use, so that one is not used twice while what it named may still be there. */
export class TagBook {
  readonly #used = new Map<string, Set<string>>();

  /** Notes a tag and gives its scope. @throws {RangeError} for a tag that is in use or has characters that keys cannot have */
  use(tag: string): string {
    if (!TAG.test(tag)) throw new RangeError(`A tag is "scope/name" of letters, digits and . _ / -; received "${tag}"`);
    const scope = scopeOf(tag);
    const used = this.#used.get(scope) ?? new Set();
    if (used.has(tag)) throw new RangeError(`The tag "${tag}" was used before; release "${scope}" first`);
    this.#used.set(scope, used.add(tag));
    return scope;
  }

  release(scope: string): void {
    this.#used.delete(scope);
  }
}

/** What stands before the first slash. */
export const scopeOf = (tag: string): string => tag.split("/", 1)[0] ?? tag;

const TAG = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/;
