/** Refusals of the subjects' service: a stable PascalCase code, an HTTP status and a sentence. Never says whether a subject is known. */
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { Problem } from './api.ts';

export const problems = {
  RequestInvalid: { status: 400, detail: 'The request does not fit the API; see /openapi.json.' },
  Unauthenticated: { status: 401, detail: 'Sign in, or sign the request: the token or signature is missing, wrong or out of date.' },
  RequestReplayed: { status: 401, detail: 'A request with this nonce was answered before. Sign it again with a fresh nonce.' },
  NotPermitted: { status: 403, detail: 'Who you are does not permit this.' },
  NotFound: { status: 404, detail: 'There is nothing at this address.' },
  MethodNotAllowed: { status: 405, detail: 'This address does not take this method.' },
  KeyTaken: { status: 409, detail: 'The key belongs to somebody already. Make another.' },
  TooManyKeys: { status: 409, detail: 'No more keys fit. Remove one first.' },
  BodyTooLarge: { status: 413, detail: 'The body is larger than the API needs.' },
  MediaTypeUnsupported: { status: 415, detail: 'Send JSON, as application/json.' },
  TooManyRequests: { status: 429, detail: 'Too many requests. Wait a little.' },
  ExportTooLarge: { status: 422, detail: 'There are more records than one export holds. Ask the enterprise for the rest.' },
  Busy: { status: 503, detail: 'The Vault is busy. Come again in a moment.' },
  Unavailable: { status: 503, detail: 'The Vault could not do it now; nothing was changed. Come again.' },
} as const;
export type ProblemCode = keyof typeof problems;

/** Thrown by what serves a request. */
export class Refused extends Error {
  readonly code: ProblemCode;
  constructor(code: ProblemCode) {
    super(code);
    this.name = 'Refused';
    this.code = code;
  }
}

export const problemOf = (code: ProblemCode): z.infer<typeof Problem> => {
  const { status, detail } = problems[code];
  return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Refused', status, code, detail };
};
