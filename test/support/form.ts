/** An answer with its raw text. */
export interface FormAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Posts a form to an OAuth endpoint. */
export async function postForm(
  url: string,
  token: string | undefined,
  form: Readonly<Record<string, string>>,
): Promise<FormAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: new URLSearchParams(form),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
