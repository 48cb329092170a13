import { randomBytes } from 'node:crypto';
import type { Exchange as AwsExchange } from '../contract/aws-fake/aws-fake.js';
import { FakeAwsTarget } from '../contract/aws-fake-target.js';
import type { Exchange as VaultExchange } from '../contract/vault-fake/vault-fake.js';
import { startFake } from '../contract/vault-server.js';
import { VaultTarget } from '../contract/vault-target.js';
import { BROKEN_ANSWERS, type BrokenAnswer, type BrokenAnswerName, type SecretExchange } from './broken-answers.js';
import type { Canaries } from './canaries.js';

/** A secret on the wire: its kind, and its text. */
type Seen = readonly [kind: string, secret: string];

interface Breaking {
  readonly how: BrokenAnswerName;
  /** beginnings of Vault's paths, or actions of AWS */
  readonly places: readonly string[];
}

/**
 * A Vault and an AWS account that plant every secret which passes them, and that break their answers on demand. Only
 * the answers break: what the caller asked for is done before.
 */
export class CanaryBackEnds {
  /** each broken answer that was given, as `<how> at <place>` */
  readonly given = new Set<string>();
  private readonly breaking = new Set<Breaking>();

  private constructor(
    private readonly canaries: Canaries,
    readonly vault: VaultTarget,
    readonly aws: FakeAwsTarget,
  ) {}

  static async open(canaries: Canaries): Promise<CanaryBackEnds> {
    const [vault, aws] = await Promise.all([VaultTarget.open(startFake), FakeAwsTarget.open()]);
    const { fake } = vault.server;
    if (fake === undefined) throw new Error('the server is not the fake');
    const backEnds = new CanaryBackEnds(canaries, vault, aws);
    fake.intercept = (exchange) => backEnds.passVault(exchange);
    aws.fake.intercept = (exchange) => backEnds.passAws(exchange);
    // a secret of plain letters looks like a word of a sentence
    fake.database.newPassword = () => lettersOf('password');
    return backEnds;
  }

  /** Breaks the answers at these places until `work` is done. */
  async breakDuring<T>(breaking: Breaking, work: () => Promise<T>): Promise<T> {
    this.breaking.add(breaking);
    try {
      return await work();
    } finally {
      this.breaking.delete(breaking);
    }
  }

  async close(): Promise<void> {
    await this.aws.close();
    await this.vault.close();
  }

  private passVault({ path, fields, token, answer }: VaultExchange): BrokenAnswer | undefined {
    if (token === this.vault.server.rootToken) return undefined;
    const seen = [['login of Vault', token] as const, ...inFields(fields), ...inEnvelope(answer.body)];
    const text = answer.body === undefined ? '' : JSON.stringify(answer.body);
    return this.pass(seen, text, 'vault', (place) => path.startsWith(place));
  }

  private passAws({ call, token, text }: AwsExchange): BrokenAnswer | undefined {
    if (call.service === 's3') return undefined;
    const identity = call.form.get('WebIdentityToken');
    const seen = [['login at AWS', token ?? ''] as const, ['identity at AWS', identity ?? ''] as const, ...inXml(text)];
    return this.pass(seen, text, call.service, (place) => place === call.action);
  }

  private pass(
    seen: readonly Seen[],
    text: string,
    protocol: SecretExchange['protocol'],
    isAt: (place: string) => boolean,
  ): BrokenAnswer | undefined {
    const secrets = seen.filter(([, secret]) => secret !== '');
    for (const [kind, secret] of secrets) this.plant(kind, secret);
    for (const { how, places } of this.breaking) {
      const place = places.find(isAt);
      if (place === undefined) continue;
      this.given.add(`${how} at ${place}`);
      return BROKEN_ANSWERS[how]({ protocol, text, secrets: secrets.map(([, secret]) => secret) });
    }
    return undefined;
  }

  private plant(kind: string, secret: string): void {
    // the head and the claims of a token are no secret, and other tokens have the same
    this.canaries.plantSeen(
      kind,
      /^eyJ[^.]*\.[^.]*\./.test(secret) ? secret.slice(secret.lastIndexOf('.') + 1) : bare(secret),
    );
  }
}

/** Returns a secret of letters alone. */
export function lettersOf(kind: string): string {
  const random = [...randomBytes(24)].map((byte) => String.fromCharCode(97 + (byte % 26))).join('');
  return `canary${kind}${random}`;
}

/** Returns the middle line of a PEM block, without the lines that all keys have. */
function bare(secret: string): string {
  return secret.replaceAll(/-----(BEGIN|END) [A-Z ]+-----/g, '').trim();
}

function inFields({ jwt, secret_id: secretId }: VaultExchange['fields']): readonly Seen[] {
  return [...textIn('identity at Vault', jwt), ...textIn('login of Vault', secretId)];
}

/** The members of Vault's answers that hold secrets; a static engine has `data` within `data`. */
function inEnvelope(body: unknown): readonly Seen[] {
  const { auth, data } = (body ?? {}) as {
    auth?: { client_token?: unknown } | null;
    data?: Record<string, unknown> | null;
  };
  const { password, private_key: privateKey, id, data: secrets } = data ?? {};
  return [
    ...textIn('token of Vault', auth?.client_token),
    ...textIn('token of Vault', isToken(id) ? id : undefined),
    ...textIn('dynamic password', password),
    ...textIn('signed key', privateKey),
    ...Object.values(secrets ?? {}).flatMap((secret) => textIn('static secret', secret)),
  ];
}

function isToken(id: unknown): boolean {
  return typeof id === 'string' && id.startsWith('s.');
}

function inXml(text: string): readonly Seen[] {
  return [...text.matchAll(/<(SecretAccessKey|SessionToken)>([^<]+)/g)].map(([, kind, secret]) => [
    String(kind),
    String(secret),
  ]);
}

function textIn(kind: string, secret: unknown): readonly Seen[] {
  return typeof secret === 'string' ? [[kind, secret]] : [];
}
