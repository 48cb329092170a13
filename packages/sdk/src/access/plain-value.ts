import { UnusableCredential } from './unusable-credential.js';

/** Throws `UnusableCredential`, without the value, for a control character: it could end a line or a variable early. */
export function requirePlain(name: string, value: string): void {
  // eslint-disable-next-line no-control-regex
  if (!/[\u0000-\u001f\u007f]/.test(value)) return;
  throw new UnusableCredential(
    'not_plain',
    `the value for ${name} has a line break or another control character, so it is not passed on`,
    'the target gave an invalid value; tell the owner of the connection',
  );
}
