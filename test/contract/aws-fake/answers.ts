/** A refusal in AWS's words. */
export class AwsError extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** A received call: query protocol parameters for STS and IAM, the request itself for S3. */
export interface Call {
  readonly service: 'sts' | 'iam' | 's3';
  readonly action: string;
  readonly form: URLSearchParams;
  readonly method: string;
  readonly path: string;
  readonly body: Buffer;
}

type Xml = string | number | undefined | readonly Xml[] | { readonly [element: string]: Xml };

/** Converts a tree to XML; a list becomes `<member>` elements, undefined members are left out. */
export function xml(tree: Xml): string {
  if (tree === undefined) return '';
  if (typeof tree === 'string' || typeof tree === 'number') return escaped(String(tree));
  if (isList(tree)) return tree.map((item) => `<member>${xml(item)}</member>`).join('');
  return Object.entries(tree)
    .filter(([, value]) => value !== undefined)
    .map(([element, value]) => `<${element}>${xml(value)}</${element}>`)
    .join('');
}

function isList(tree: Xml): tree is readonly Xml[] {
  return Array.isArray(tree);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

const NAMESPACES = {
  sts: 'https://sts.amazonaws.com/doc/2011-06-15/',
  iam: 'https://iam.amazonaws.com/doc/2010-05-08/',
};

/** Returns the answer of STS or IAM to a successful call. */
export function answerXml({ service, action }: Call, result: Xml): string {
  const namespace = NAMESPACES[service === 'iam' ? 'iam' : 'sts'];
  const body = result === undefined ? '' : `<${action}Result>${xml(result)}</${action}Result>`;
  return `<${action}Response xmlns="${namespace}">${body}<ResponseMetadata><RequestId>fake</RequestId></ResponseMetadata></${action}Response>`;
}

/** Returns a refusal in the service's form. */
export function errorXml(service: Call['service'], { code, message, status }: AwsError): string {
  const error = { Code: code, Message: message };
  if (service === 's3')
    return `<?xml version="1.0" encoding="UTF-8"?><Error>${xml(error)}<RequestId>fake</RequestId></Error>`;
  const tree = { Error: { Type: status < 500 ? 'Sender' : 'Receiver', ...error }, RequestId: 'fake' };
  return `<ErrorResponse xmlns="${NAMESPACES[service]}">${xml(tree)}</ErrorResponse>`;
}
