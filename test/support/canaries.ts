/** Planted secrets by name, and the search for them in texts. */
export class Canaries {
  private readonly planted = new Map<string, string>();

  /** Plants a canary. It must have 16 characters or more, so that no text contains it by chance. */
  plant(name: string, canary: string): void {
    if (canary.length < 16) throw new Error(`${name} is too short for a canary`);
    this.planted.set(name, canary);
  }

  /** Plants the signature of a compact JWS: the signature alone proves a leak. */
  plantToken(name: string, token: string): void {
    this.plant(name, token.slice(token.lastIndexOf('.') + 1));
  }

  get names(): readonly string[] {
    return [...this.planted.keys()];
  }

  /** Returns the names of the canaries in the text, plain or in a common encoding. */
  findIn(text: string): readonly string[] {
    return this.names.filter((name) => formsOf(this.planted.get(name) ?? '').some((form) => text.includes(form)));
  }
}

/** Returns plain, hexadecimal (`bytea`) and base64 forms; of base64, the part that no preceding byte changes. */
function formsOf(canary: string): readonly string[] {
  const bytes = Buffer.from(canary);
  const shifted = [0, 1, 2].map((offset) =>
    Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .slice(4, -4),
  );
  return [canary, encodeURIComponent(canary), bytes.toString('hex'), ...shifted];
}
