/** The length of the parts of a secret that are looked for, and the distance between their beginnings. */
const FRAGMENT = 16;
const STRIDE = 4;

/**
 * Planted secrets by name, and the search for them in texts. It finds every whole secret, and of a longer one every
 * part of 19 characters, which a cut or a quote leaves over.
 */
export class Canaries {
  private readonly planted = new Map<string, string>();
  private readonly secrets = new Set<string>();
  /** fragments of every form of every secret, in lower case, with the name of the secret */
  private readonly fragments = new Map<string, string>();

  /** Plants a canary. It must have 16 characters or more, so that no text contains it by chance. */
  plant(name: string, canary: string): void {
    if (canary.length < FRAGMENT) throw new Error(`${name} is too short for a canary`);
    this.planted.set(name, canary);
    this.secrets.add(canary);
    for (const form of formsOf(canary)) {
      for (let at = 0; at + FRAGMENT <= form.length; at += STRIDE) this.fragments.set(fragmentAt(form, at), name);
      if (form.length >= FRAGMENT) this.fragments.set(fragmentAt(form, form.length - FRAGMENT), name);
    }
  }

  /** Plants a secret that was seen; its name counts the secrets of the kind. Does nothing for one that is planted. */
  plantSeen(kind: string, canary: string): void {
    if (!this.secrets.has(canary)) this.plant(`${kind} ${String(this.planted.size)}`, canary);
  }

  /** Plants the signature of a compact JWS: the signature alone proves a leak. */
  plantToken(name: string, token: string): void {
    this.plant(name, token.slice(token.lastIndexOf('.') + 1));
  }

  get names(): readonly string[] {
    return [...this.planted.keys()];
  }

  /** Returns the names of the canaries of which the text has a part, plain or encoded, in upper or lower case. */
  findIn(text: string): readonly string[] {
    return [...this.placesIn(text).keys()];
  }

  /** Returns the same as `findIn`, each name with the text before its first part. */
  leaksIn(text: string): readonly string[] {
    return [...this.placesIn(text)].map(([name, at]) => `${name}: ${text.slice(Math.max(0, at - 200), at + FRAGMENT)}`);
  }

  private placesIn(text: string): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    const folded = text.toLowerCase();
    for (let at = 0; at + FRAGMENT <= folded.length; at += 1) {
      const name = this.fragments.get(folded.slice(at, at + FRAGMENT));
      if (name !== undefined && !found.has(name)) found.set(name, at);
    }
    return found;
  }
}

function fragmentAt(form: string, at: number): string {
  return form.slice(at, at + FRAGMENT).toLowerCase();
}

/** Returns the canary plain, escaped (JSON once and twice, URL, form, XML), in hexadecimal (`bytea`) and in base64. */
function formsOf(canary: string): ReadonlySet<string> {
  const json = JSON.stringify(canary).slice(1, -1);
  const form = new URLSearchParams({ canary }).toString().slice('canary='.length);
  const xml = canary.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
  const bytes = Buffer.from(canary);
  const escaped = [json, JSON.stringify(json).slice(1, -1), encodeURI(canary), encodeURIComponent(canary), form, xml];
  return new Set([canary, ...escaped, bytes.toString('hex'), ...base64Of(bytes)]);
}

/** Returns the parts of both base64 alphabets that no preceding byte changes, at each of the three offsets. */
function base64Of(bytes: Buffer): readonly string[] {
  return [0, 1, 2].flatMap((offset) => {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes]);
    return [shifted.toString('base64'), shifted.toString('base64url')].map((text) => text.slice(4, -4));
  });
}
