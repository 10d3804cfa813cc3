import { createHash } from 'node:crypto';

/** What is sent back of a request. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const STYLE = `
:root { color-scheme: light dark; font: 1.125rem/1.5 system-ui, sans-serif; }
body { max-width: 26rem; margin: 3rem auto; padding: 0 1rem; }
button { display: block; width: 100%; margin: 0.75rem 0; padding: 0.75rem 1rem; font: inherit; text-align: start; cursor: pointer; }
`;
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');
const PRIVATE = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' };

/**
 * A page without scripts.
 *
 * @param content HTML
 * @param formTarget origin to which the answer of a form may lead, as browsers want to know beforehand
 */
export function page(status: number, title: string, content: string, formTarget = ''): Answer {
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    `form-action 'self'${formTarget === '' ? '' : ` ${formTarget}`}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  const headers = {
    ...PRIVATE,
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy.join('; '),
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
  };
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title>`;
  const main = `<main><h1>${escaped(title)}</h1>\n${content}\n</main>`;
  return { status, headers, body: `<!doctype html>\n<html lang="en">\n${head}<style>${STYLE}</style>\n${main}\n</html>\n` };
}

export function problemPage(text: string): Answer {
  return page(400, 'That did not work', `<p>${escaped(text)}</p>`);
}

export function json(status: number, content: object): Answer {
  return { status, headers: { ...PRIVATE, 'content-type': 'application/json' }, body: JSON.stringify(content) };
}

/** Of RFC 6749, section 5.2. */
export function oauthError(error: string, description: string): Answer {
  return json(400, { error, error_description: description });
}

/** By GET, whatever the request was; with more in the query. */
export function redirect(to: string, query: Record<string, string | undefined>): Answer {
  const url = new URL(to);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
  return { status: 303, headers: { ...PRIVATE, location: url.href }, body: '' };
}

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
