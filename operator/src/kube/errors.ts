/**
 * What can go wrong between us and the API server. A reply's `Status` is parsed here and nowhere else.
 * `NotFound` ... `Invalid` are answers; `TooManyRequests` ... `Network` are worth another try; `Aborted` is our own caller.
 */
export type ApiErrorCode =
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Forbidden'
  | 'Unauthorized'
  | 'BadRequest'
  | 'Invalid'
  | 'Unsupported'
  | 'TooLarge'
  | 'TooManyRequests'
  | 'Timeout'
  | 'Unavailable'
  | 'Internal'
  | 'Network'
  | 'Malformed'
  | 'Aborted';

export class ApiError extends Error {
  readonly code: ApiErrorCode;
  /** HTTP status; 0 where no reply came. */
  readonly status: number;
  /** `Status.reason` as the server wrote it, else the code. */
  readonly reason: string;
  /** How long the server asks us to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ApiErrorCode,
    status: number,
    message: string,
    detail: { reason?: string | undefined; retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(message.slice(0, 1024), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'ApiError';
    this.code = code;
    this.status = status;
    this.reason = (detail.reason ?? code).slice(0, 128);
    this.retryAfterMs = detail.retryAfterMs;
  }
}

export const isApiError = (thrown: unknown, ...codes: readonly ApiErrorCode[]): thrown is ApiError =>
  thrown instanceof ApiError && (codes.length === 0 || codes.includes(thrown.code));

const transientCodes: readonly ApiErrorCode[] = ['TooManyRequests', 'Timeout', 'Unavailable', 'Internal', 'Network'];

/** True if the same request may succeed later without anybody changing anything. */
export const isTransient = (thrown: unknown): boolean => isApiError(thrown, ...transientCodes);

const codeByReason: Readonly<Record<string, ApiErrorCode>> = {
  AlreadyExists: 'AlreadyExists',
  Conflict: 'Conflict',
  Expired: 'Gone',
  Gone: 'Gone',
  NotFound: 'NotFound',
  Forbidden: 'Forbidden',
  Unauthorized: 'Unauthorized',
  Invalid: 'Invalid',
  BadRequest: 'BadRequest',
  TooManyRequests: 'TooManyRequests',
  Timeout: 'Timeout',
  ServerTimeout: 'Unavailable',
  ServiceUnavailable: 'Unavailable',
  InternalError: 'Internal',
  RequestEntityTooLarge: 'TooLarge',
  MethodNotAllowed: 'Unsupported',
  NotAcceptable: 'Unsupported',
  UnsupportedMediaType: 'Unsupported',
};

const codeByStatus: Readonly<Record<number, ApiErrorCode>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'Unsupported',
  406: 'Unsupported',
  408: 'Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'TooLarge',
  415: 'Unsupported',
  422: 'Invalid',
  429: 'TooManyRequests',
  502: 'Unavailable',
  503: 'Unavailable',
  504: 'Timeout',
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const positive = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;

/** Longest wait a server can ask of us: it is not to be trusted with our liveness. */
const longestRetryAfterMs = 60_000;

/** `Retry-After` in seconds; its date form needs a common clock and is not used by API servers. */
function headerMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,9}$/.test(header) ? Number(header) * 1000 : undefined;
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // not every hop in between speaks JSON; the status line is enough
  }
}

/** Server-side apply answers 500 without a reason where the object doesn't fit its schema: a mistake of ours, which no repetition mends. */
const misfit = (number: number, message: string | undefined): boolean =>
  number === 500 && message?.startsWith('failed to create typed patch object') === true;

/** The error that a `metav1.Status` object stands for, from a reply's body or from an ERROR event inside a watch. */
export function errorFromStatus(status: unknown, httpStatus = 0, retryAfterHeader?: string): ApiError {
  const fields = isRecord(status) ? status : {};
  const details = isRecord(fields['details']) ? fields['details'] : {};
  const number = httpStatus !== 0 ? httpStatus : (positive(fields['code']) ?? 0);
  const reason = text(fields['reason']);
  const message = text(fields['message']);
  const code = misfit(number, message)
    ? 'Invalid'
    : (codeByReason[reason ?? ''] ?? codeByStatus[number] ?? (number >= 500 || number === 0 ? 'Internal' : 'BadRequest'));
  const seconds = positive(details['retryAfterSeconds']);
  const wait = headerMs(retryAfterHeader) ?? (seconds === undefined ? undefined : seconds * 1000);
  return new ApiError(code, number, message ?? `the API server answered ${number}`, {
    reason,
    retryAfterMs: wait === undefined ? undefined : Math.min(wait, longestRetryAfterMs),
  });
}

/** The error that an HTTP reply stands for. */
export const errorFromReply = (httpStatus: number, body: string, retryAfterHeader?: string): ApiError =>
  errorFromStatus(parsed(body), httpStatus, retryAfterHeader);

/** No reply, or half of one: it is unknown whether the request took effect. */
export function networkError(cause: unknown): ApiError {
  const code = isRecord(cause) ? text(cause['code']) : undefined;
  return new ApiError('Network', 0, `no answer from the API server${code === undefined ? '' : ` (${code})`}`, { cause });
}
