/** Secrets that were planted, by what they are, and the places that must not hold them. */
export class Canaries {
  private readonly planted = new Map<string, string>();

  /** The canary must be long enough to be nowhere by chance. */
  plant(name: string, canary: string): void {
    if (canary.length < 16) throw new Error(`${name} is too short for a canary`);
    this.planted.set(name, canary);
  }

  /** Of a compact JWS its signature, which proves alone, whatever stands before it. */
  plantToken(name: string, token: string): void {
    this.plant(name, token.slice(token.lastIndexOf('.') + 1));
  }

  get names(): readonly string[] {
    return [...this.planted.keys()];
  }

  /** The names of the canaries that are in the text, as they are or encoded in one of the usual ways. */
  findIn(text: string): readonly string[] {
    return this.names.filter((name) => formsOf(this.planted.get(name) ?? '').some((form) => text.includes(form)));
  }
}

/** `bytea` shows as hexadecimal digits; of base64, the part that does not depend on what stands before. */
function formsOf(canary: string): readonly string[] {
  const bytes = Buffer.from(canary);
  const shifted = [0, 1, 2].map((offset) =>
    Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .slice(4, -4),
  );
  return [canary, encodeURIComponent(canary), bytes.toString('hex'), ...shifted];
}
